"""Request and response schemas of taxonomies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from infra.store.taxonomies.queries import CategoryView
from pipeline.domain.reason import Reason
from pipeline.steps.taxonomies import ImportedTaxonomy

EXAMPLE_CATEGORIES: dict[str, Any] = {
    "categories": [
        "Home > Kitchen",
        {
            "path": "Home > Curtains",
            "description": "fabric that hangs in front of windows",
            "synonyms": ["drapes", "blinds"],
            "names": {"fr": "Rideaux"},
            "id": "home-7",
        },
        {"name": "Fashion", "children": [{"name": "Shoes"}, {"name": "Watches"}]},
    ]
}
CATEGORIES_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": ["object", "array"]}, "example": EXAMPLE_CATEGORIES},
        "text/csv": {"schema": {"type": "string"}, "example": "path,synonyms\nHome > Curtains,drapes; blinds\n"},
        "text/plain": {
            "schema": {"type": "string"},
            "example": "# Google_Product_Taxonomy_Version: 2021-09-21\nToys",
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
            }
        },
    },
}


class TaxonomyResponse(BaseModel):
    """A taxonomy; the listings of its sources are categorised in it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    categories: int = Field(description="number of categories, on all levels")
    levels: int = Field(description="depth of the deepest category")
    sources: list[str]
    model: int | None = Field(description="number of the active model version; null without one")
    created_at: datetime


class CategoryResponse(BaseModel):
    """A category with the texts that describe it."""

    path: str = Field(description="canonical, such as `Home >> Curtains`")
    level: int
    description: str
    synonyms: list[str]
    external_id: str | None = Field(description="its id in the file that it was imported from")
    names: dict[str, str] = Field(description="its own name in other languages, by language code")
    labelled: int = Field(description="number of labelled listings, those of categories below not counted")

    @classmethod
    def of(cls, category: CategoryView, labelled: Mapping[str, int]) -> Self:
        """The response for a category; ``labelled`` are the numbers of labelled listings by path."""
        return cls(
            path=category.path,
            level=category.level,
            description=category.description,
            synonyms=list(category.synonyms),
            external_id=category.external_id,
            names=dict(category.names),
            labelled=labelled.get(category.path, 0),
        )


class CategoriesPage(BaseModel):
    """A page of categories."""

    items: list[CategoryResponse]
    next: str | None = Field(description="the cursor of the next page; null on the last one")


class NoteResponse(BaseModel):
    """A note on how the categories were read."""

    note: str
    coded_note: dict[str, Any] | None = Field(description="the note as a code with parameters")


class ChangesResponse(BaseModel):
    """What the import changed, or with `dry_run` would change."""

    taxonomy: str
    dry_run: bool
    added: list[str]
    renamed: dict[str, str] = Field(description="new paths by old ones: of categories whose id was known")
    updated: list[str] = Field(description="categories with other texts than before")
    unchanged: int
    unlisted: int = Field(description="categories of the taxonomy that were not listed; they stay")
    requeued: int = Field(description="listings without a model that get new suggestions")
    notes: list[NoteResponse]

    @classmethod
    def of(cls, result: ImportedTaxonomy, *, dry_run: bool) -> Self:
        """The response for the changes of an import."""
        changes = result.changes
        return cls(
            taxonomy=result.name,
            dry_run=dry_run,
            added=[entry.path for entry in changes.added],
            renamed=dict(changes.renamed),
            updated=[entry.path for entry in changes.updated],
            unchanged=changes.unchanged,
            unlisted=changes.unlisted,
            requeued=result.requeued,
            notes=[_note(note) for note in changes.notes],
        )


def _note(note: Reason) -> NoteResponse:
    return NoteResponse(note=str(note), coded_note=note.as_json())
