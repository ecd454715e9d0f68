"""Asks for proposals of rules where an import ends, until the end of an import is a use case."""

from __future__ import annotations

from sqlalchemy import Connection

from infra.store.rules.repository import SqlRules
from infra.store.taxonomies.repository import SqlSources


def map_what_is_new(connection: Connection, import_id: int) -> int | None:
    """Do what ``pipeline.steps.rules.request_proposals_after_import`` does."""
    rules = SqlRules(connection)
    source_id = rules.source_with_new_categories(import_id)
    if source_id is None:
        return None
    SqlSources(connection).lock(source_id)
    if rules.find_proposal_job(source_id, with_running=False) is not None:
        return None
    return rules.add_proposal_job(source_id, None, f"map:{import_id}")
