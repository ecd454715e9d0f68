"""Answers kept in a folder, so that what has not changed (ETag) need not come again; bounded."""

from __future__ import annotations

from cachecontrol.cache import BaseCache

from infra.sources.kept_files import KeptFiles


class KeptAnswers(KeptFiles, BaseCache):
    """CacheControl's cache, in files."""
