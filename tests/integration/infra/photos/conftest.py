"""The fixtures of the product databases: a server, settings that point to it, an engine."""

from __future__ import annotations

from tests.integration.infra.sources.conftest import engine, settings, shop

__all__ = ["engine", "settings", "shop"]
