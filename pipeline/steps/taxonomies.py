"""Taxonomies: import the names and texts of categories."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.errors import InvalidInput
from pipeline.domain.rule import MAX_SOURCE_CATEGORY_LENGTH, RuleStatus
from pipeline.domain.source import taxonomy_name
from pipeline.domain.taxonomy import ListedTaxonomy, TaxonomyChanges, plan_changes
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork


@dataclass(frozen=True, slots=True)
class ImportedTaxonomy:
    """The changes that an import made; ``requeued`` is the number of listings that get new suggestions."""

    name: str
    changes: TaxonomyChanges
    requeued: int


def import_taxonomy(
    units: UnitsOfWork, name: str, listed: ListedTaxonomy, changed_by: str, *, dry_run: bool = False
) -> ImportedTaxonomy:
    """Add the listed categories and their texts to the taxonomy of this name, which is added if it is missing.

    Importing the same list again changes nothing. A renamed category (same id, another path) keeps its labels: its
    reviews and listings are renamed, and a rule gives the new name to what sellers call by the old one. Categories
    that are not listed stay. Where no model decides, all listings get new suggestions. A dry run changes nothing.
    """
    name = taxonomy_name(name)
    if not name:
        raise InvalidInput("give the taxonomy a name")
    with units() as unit:
        taxonomy = unit.taxonomies.add(name)
        unit.taxonomies.lock(taxonomy.id)
        changes = plan_changes(unit.taxonomies.entries(taxonomy.id), listed)
        requeued = 0
        if not changes.is_empty:
            if changes.renamed:
                _rename(unit, taxonomy.id, changes, changed_by)
            unit.taxonomies.put(taxonomy.id, [*changes.added, *changes.updated])
            requeued = unit.taxonomies.requeue_without_model(taxonomy.id)
        if not dry_run:
            unit.commit()
    return ImportedTaxonomy(taxonomy.name, changes, requeued)


def _rename(unit: UnitOfWork, taxonomy_id: int, changes: TaxonomyChanges, changed_by: str) -> None:
    unit.taxonomies.rename(taxonomy_id, changes.renamed)
    for source_id, path in unit.taxonomies.seller_categories(taxonomy_id, list(changes.renamed)):
        if len(path) <= MAX_SOURCE_CATEGORY_LENGTH:
            new = changes.renamed[path]
            unit.rules.refuse_accepted(source_id, path, new, changed_by)
            unit.rules.put(source_id, path, new, RuleStatus.ACCEPTED, changed_by)
