"""Sources: find one by its name or add it with its taxonomy; set its notation of categories."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source, source_name, taxonomy_name
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork


def find_or_add_source(units: UnitsOfWork, name: str, taxonomy: str | None = None) -> Source:
    """Find the source of this name, or add it with its taxonomy, which has the same name by default.

    Raises InvalidInput when the source exists with another taxonomy.
    """
    with units() as unit:
        source = find_or_add_source_in(unit, name, taxonomy)
        unit.commit()
        return source


def find_or_add_source_in(unit: UnitOfWork, name: str, taxonomy: str | None = None) -> Source:
    """Like ``find_or_add_source``, in a unit that the caller commits."""
    name = source_name(name)
    source = unit.sources.find(name) or unit.sources.add(name, taxonomy or name)
    if taxonomy is not None and source.taxonomy != taxonomy:
        raise InvalidInput(f"the source '{name}' belongs to the taxonomy '{source.taxonomy}', not to '{taxonomy}'")
    return source


def set_notation(units: UnitsOfWork, name: str, notation: CategoryNotation) -> Source:
    """Store how a source writes categories: later imports and posted listings are read so; NotFound without source."""
    with units() as unit:
        source = unit.sources.find(source_name(name))
        if source is None:
            raise NotFound(Reason.of(ReasonCode.SOURCE_NOT_FOUND, name=name[:100]))
        unit.sources.set_notation(source.id, notation)
        unit.commit()
    return replace(source, notation=notation)


def source_of_products(units: UnitsOfWork, database: str, name: str = "", taxonomy: str = "") -> Source:
    """Find or add the source for the products of a product database, see ``source_of_products_in``."""
    with units() as unit:
        source = source_of_products_in(unit, database, name, taxonomy)
        unit.commit()
        return source


def source_of_products_in(unit: UnitOfWork, database: str, name: str = "", taxonomy: str = "") -> Source:
    """Find or add the source for the products of a product database.

    ``name`` is the database's name by default. Without ``taxonomy``, a new source gets the only taxonomy with a model,
    since imported products extend the shop's range; if there is none or several, it gets its own taxonomy. Raises
    InvalidInput when the source exists with another taxonomy.
    """
    name = " ".join((name or database).split())
    chosen_taxonomy = taxonomy_name(taxonomy) or None
    if chosen_taxonomy is None and unit.sources.find(name) is None:
        taxonomies_with_model = unit.sources.taxonomies_with_model()
        chosen_taxonomy = taxonomies_with_model[0] if len(taxonomies_with_model) == 1 else None
    return find_or_add_source_in(unit, name, chosen_taxonomy)
