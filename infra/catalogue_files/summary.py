"""What was read from a catalogue, and as what: its fields with examples, its categories, and its notes by kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from infra.catalogue_files.catalogue import Catalogue
from infra.catalogue_files.column_detection import ROLES
from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.category import SEPARATOR
from pipeline.domain.json_record import JsonObject
from pipeline.domain.reason import Reason

MAX_CATEGORIES = 200_000  # counted; of the rest only the number of rows
LARGEST = 5


@dataclass
class CatalogueSummary:
    """Counts of the rows of a catalogue, collected while they are imported."""

    rows: int = 0
    variants: int = 0
    with_category: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    deepest: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    first_note: dict[str, Reason] = field(default_factory=dict)

    def add(self, row: CatalogueRow) -> None:
        """Count one more row."""
        self.rows += 1
        self.variants += row.variant_of is not None
        category = row.content.seller_category if row.content else None
        if category is not None:
            self.with_category += 1
            self.deepest = max(self.deepest, category.count(SEPARATOR) + 1)
            if category in self.categories or len(self.categories) < MAX_CATEGORIES:
                self.categories[category] += 1
        if row.variant_of is None:
            for note in row.notes:
                self.notes[note.code.value] += 1
                self.first_note.setdefault(note.code.value, note)

    def as_json(self, catalogue: Catalogue) -> JsonObject:
        """The summary as ``rayon import --json`` has it."""
        roles = {each: role for role, each in ROLES.items()}
        return {
            "platform": catalogue.platform,
            "fields": {
                roles[each]: {"column": column, "example": catalogue.examples.get(each, "")}
                for each, column in catalogue.columns.items()
            },
            "variants": self.variants,
            "with_category": self.with_category,
            "categories": len(self.categories),
            "levels": self.deepest,
            "largest_categories": [{"category": path, "rows": n} for path, n in self.categories.most_common(LARGEST)],
            "notes": [
                {
                    "code": code,
                    "rows": count,
                    "example": str(self.first_note[code]),
                    "coded_example": self.first_note[code].as_json(),
                }
                for code, count in self.notes.most_common()
            ],
        }
