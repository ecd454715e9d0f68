"""The context of commands: the adapters that the environment names."""

from __future__ import annotations

import os

from pipeline.domain.errors import InvalidInput
from workers.bootstrap import WorkerContext, build, settings_of


def open_context(command: str) -> WorkerContext:
    """The context of a command, built from the environment."""
    return build(settings_of(os.environ), application=f"rayon {command}")


def find_context() -> WorkerContext | None:
    """The context of the environment; None if this names neither a stack nor a database."""
    try:
        return build(settings_of(os.environ), application="rayon status", pooled=False)
    except InvalidInput:
        if os.environ.get("DATABASE_URL"):
            raise
        return None
