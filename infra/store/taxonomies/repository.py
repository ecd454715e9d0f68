"""Sources and their taxonomies: found by name, created when new."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from infra.store.taxonomies.tables import SourceRow, TaxonomyRow
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.source import Source, source_name
from pipeline.domain.text import listed


def ensure_source(connection: Connection, name: str, taxonomy: str | None = None) -> Source:
    """The source of this name, created with its taxonomy (by default of the same name) when it is new.

    Raises InvalidInput when the source exists with another taxonomy than the one asked for.
    """
    name = source_name(name)
    found = find_source(connection, name)
    if found is None:
        wanted = taxonomy or name
        connection.execute(insert(TaxonomyRow).values(name=wanted).on_conflict_do_nothing())
        taxonomy_id = connection.execute(select(TaxonomyRow.id).where(TaxonomyRow.name == wanted)).scalar_one()
        connection.execute(insert(SourceRow).values(name=name, taxonomy_id=taxonomy_id).on_conflict_do_nothing())
        found = find_source(connection, name)
        assert found is not None
    if taxonomy is not None and found.taxonomy != taxonomy:
        raise InvalidInput(f"the source '{name}' belongs to the taxonomy '{found.taxonomy}', not to '{taxonomy}'")
    return found


def find_source(connection: Connection, name: str) -> Source | None:
    """The source of this name, or None."""
    row = connection.execute(
        select(SourceRow.id, SourceRow.name, SourceRow.taxonomy_id, TaxonomyRow.name.label("taxonomy"))
        .join(TaxonomyRow, TaxonomyRow.id == SourceRow.taxonomy_id)
        .where(SourceRow.name == name)
    ).first()
    return None if row is None else Source(row.id, row.name, row.taxonomy_id, row.taxonomy)


def find_taxonomy(connection: Connection, name: str | None) -> tuple[int, str]:
    """Id and name of a taxonomy; without a name, the only one there is.

    Raises NotFound with the names to choose from.
    """
    rows = connection.execute(select(TaxonomyRow.id, TaxonomyRow.name).order_by(TaxonomyRow.name)).all()
    chosen = [row for row in rows if name is None or row.name == name]
    if len(chosen) == 1:
        return chosen[0].id, chosen[0].name
    names = listed([row.name for row in rows]) or "none yet; import a catalogue first"
    if name is None and rows:
        raise NotFound(f"name one of the taxonomies: {names}")
    raise NotFound(f"there is no taxonomy '{name}'; there are: {names}")
