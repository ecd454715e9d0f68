"""Request and response schemas of sources."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.source import Source


class NotationFields(BaseModel):
    """How a source writes categories; null leaves a choice to what is recognised in each file or text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"separator": "/", "list_separator": ";", "choice": "deepest"}]},
    )

    separator: str | None = Field(None, description="between the parts of a path; nothing else parts one then")
    list_separator: str | None = Field(
        None, description="between several paths of one listing (`newline` and `tab` are understood); '' for one path"
    )
    choice: str | None = Field(
        None, description="which of several paths counts: `first`, `deepest` of the first one's tree, or `specific`"
    )

    def notation(self) -> CategoryNotation:
        """The notation; InvalidInput where it cannot be used."""
        return CategoryNotation.of(self.separator, self.list_separator, self.choice)


class SourceResponse(BaseModel):
    """A source, the taxonomy of its listings, and how it writes categories."""

    name: str
    taxonomy: str
    category_notation: NotationFields

    @classmethod
    def of(cls, source: Source) -> Self:
        """The response for a source."""
        notation = source.notation
        fields = NotationFields(
            separator=notation.separator, list_separator=notation.list_separator, choice=notation.choice
        )
        return cls(name=source.name, taxonomy=source.taxonomy, category_notation=fields)
