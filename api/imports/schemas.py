"""Request and response schemas of imports: progress, row verdicts, changes since the previous import, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.parameters import Clean
from infra.store.imports.queries import ImportDifferences, ImportedProduct, ImportView
from infra.store.listings.history import ListingProvenance
from pipeline.domain.collection import ProductRequest
from pipeline.domain.errors import InvalidInput
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.product_databases import DATABASES, find_database
from pipeline.domain.product_source import PUBLISHED, ProductQuery, QueryKind, named_query
from pipeline.domain.reason import coded_notes, reason_fields, sentences
from pipeline.domain.source import NAME_LIMIT

MAX_QUERY_LENGTH = 2_000
MAX_BARCODES = 10_000
EXAMPLE_REQUEST: dict[str, Any] = {"database": "openfoodfacts", "category": "champagnes", "limit": 10}
Name = Annotated[Clean, Field(max_length=NAME_LIMIT)]


class NewImportRequest(BaseModel):
    """A query to a product database, by exactly one of category, text, barcodes, export and changes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_REQUEST]})

    database: Clean = Field(max_length=NAME_LIMIT, description="such as openfoodfacts")
    category: Clean = Field("", max_length=MAX_QUERY_LENGTH, description="such as champagnes or en:champagnes")
    text: Clean = Field("", max_length=MAX_QUERY_LENGTH, description="words to search for")
    barcodes: list[Annotated[Clean, Field(max_length=50)]] = Field([], max_length=MAX_BARCODES)
    export: Clean = Field(
        "", max_length=MAX_QUERY_LENGTH, description=f"'{PUBLISHED}': the full export that the database publishes"
    )
    changes: bool = Field(default=False, description="products changed since the last import")
    limit: int | None = Field(None, ge=1, le=2**31 - 1, description="maximum number of products to import; null: all")
    source: Name = Field("", description="the source of the listings; by default the database's name")
    taxonomy: Name = Field("", description="the taxonomy of a new source; by default the only one with a model")

    @field_validator("export")
    @classmethod
    def _check_export(cls, export: str) -> str:
        # Paths and URLs are for the command line only: over HTTP they would expose the server's files and network.
        if export and export != PUBLISHED:
            raise ValueError(f"an export is '{PUBLISHED}'; one that lies elsewhere is collected by command")
        return export

    def request(self) -> ProductRequest:
        """Build the product request; InvalidInput for an unknown database, or not exactly one kind of query."""
        return ProductRequest(self.database, self._query(), self.source, self.taxonomy)

    def _query(self) -> ProductQuery:
        find_database(self.database, "")
        if any("," in barcode for barcode in self.barcodes):
            raise InvalidInput("barcodes must be a list with one barcode per item")
        values = {
            QueryKind.CATEGORY: self.category,
            QueryKind.TEXT: self.text,
            QueryKind.BARCODES: ",".join(self.barcodes),
            QueryKind.EXPORT: self.export,
            QueryKind.CHANGES: "all" if self.changes else "",
        }
        return named_query(values, self.limit)


class LicenceResponse(BaseModel):
    """The licence of a database's products; the ``attribution`` must be shown with them."""

    name: str
    url: str
    attribution: str

    @classmethod
    def of_database(cls, database: str | None) -> LicenceResponse | None:
        """The licence of a database's products; None unless it is a known database."""
        product_database = DATABASES.get(database or "")
        return None if product_database is None else LicenceResponse(**asdict(product_database.licence))


class ImportResponse(BaseModel):
    """An import. ``database``, ``query``, ``complete`` and ``licence`` are null for an imported file."""

    id: int
    source: str
    origin: str
    status: str
    database: str | None
    query: dict[str, Any] | None = Field(description="kind, value and limit of the query to the database")
    collection: int | None = Field(description="id of the collection it belongs to")
    complete: bool | None = Field(description="whether it imported everything that the query covers")
    total: int | None = Field(description="number of rows; null if unknown")
    row: int = Field(description="number of rows with a verdict")
    share: float | None = Field(description="progress from 0 to 1; null if unknown")
    new: int
    changed: int
    unchanged: int
    rejected: int
    variant: int = Field(description="rows that are variants of the listing of an earlier row")
    without_photo: int
    vanished: int | None = Field(
        description="products of the previous complete import that are missing; null if unknown"
    )
    came_back: int | None
    doing: str | None = Field(description="current activity of a running import, or what it waits for")
    note: str | None
    coded_note: dict[str, Any] | None = Field(description="the note as a code with parameters")
    summary: dict[str, Any] | None = Field(
        None, description="what was read from a file: platform, fields with examples, categories, notes; else null"
    )
    started_at: datetime
    ended_at: datetime | None
    licence: LicenceResponse | None

    @classmethod
    def of(cls, import_view: ImportView, **subclass_fields: Any) -> Self:
        """Build the response from an import."""
        return cls(
            **import_view.as_json(), licence=LicenceResponse.of_database(import_view.database), **subclass_fields
        )


class ImportPage(BaseModel):
    """A page of imports; ``next`` is the cursor of the next page, null at the end."""

    items: list[ImportResponse]
    next: str | None


class RowVerdictResponse(BaseModel):
    """The verdict on a row; ``reason`` is set for rejected rows."""

    number: int
    external_id: str | None
    listing_id: int | None
    verdict: str
    reason: str | None
    coded_reason: dict[str, Any] | None = Field(description="the reason as a code with parameters")
    note: str | None
    coded_notes: list[dict[str, Any]] | None = Field(description="the parts of the note as codes with parameters")

    @classmethod
    def of(cls, row: RowVerdict) -> Self:
        """Build the response from a verdict."""
        return cls(
            number=row.number,
            external_id=row.external_id,
            listing_id=row.listing_id,
            verdict=row.verdict.value,
            **reason_fields(row.reason),
            note=sentences(row.notes) or None,
            coded_notes=coded_notes(row.notes),
        )


class ImportWithRows(ImportResponse):
    """An import with a page of its rows' verdicts."""

    rows: list[RowVerdictResponse]
    next: str | None


class ProductResponse(BaseModel):
    """A row of an import with the current state of its listing; ``changes`` names the changed parts of the listing."""

    number: int = Field(description="row number; for a vanished product, that in the previous import")
    external_id: str | None
    listing_id: int | None
    name: str | None
    status: str | None
    verdict: str | None
    reason: str | None
    coded_reason: dict[str, Any] | None = Field(description="the reason as a code with parameters")
    note: str | None
    coded_notes: list[dict[str, Any]] | None = Field(description="the parts of the note as codes with parameters")
    changes: list[str] | None

    @classmethod
    def of(cls, product: ImportedProduct) -> Self:
        """Build the response from an imported product."""
        return cls(**asdict(product))


class DiffResponse(BaseModel):
    """The changes made by an import. ``why_not`` says why ``came_back`` and ``vanished`` are unknown, else null."""

    model_config = ConfigDict(populate_by_name=True)

    import_id: int = Field(alias="import")
    compared_with: int | None = Field(description="the previous complete import of the same query")
    counts: Mapping[str, int | None]
    why_not: str | None
    kind: str | None
    items: list[ProductResponse]
    next: str | None

    @classmethod
    def of(cls, import_id: int, differences: ImportDifferences, **page: Any) -> Self:
        """Build the response from the counts and a ``page`` of products (``kind``, ``items`` and ``next``)."""
        return cls(
            import_id=import_id,
            compared_with=differences.compared_with,
            counts=differences.counts,
            why_not=differences.as_json()["why_not"],
            **page,
        )


class WithdrawalRequest(BaseModel):
    """Options of the withdrawal of vanished products."""

    model_config = ConfigDict(extra="forbid")

    even_most: bool = Field(default=False, description="even if more than half of the products vanished")


class WithdrawalResponse(BaseModel):
    """The number of withdrawn listings, and of kept ones: those in another import, or posted since."""

    withdrawn: int
    kept: int


class ProvenanceResponse(BaseModel):
    """Provenance of a listing and the licence of its database; ``address`` is null unless it is an http(s) URL."""

    database: str
    title: str
    address: str | None
    categories: list[str]
    modified_at: datetime | None
    seen_at: datetime
    import_id: int | None
    licence: LicenceResponse | None

    @classmethod
    def of(cls, provenance: ListingProvenance | None) -> ProvenanceResponse | None:
        """Build the response from a provenance; None for a listing that was not collected."""
        if provenance is None:
            return None
        address = provenance.address if provenance.address.startswith(("https://", "http://")) else None
        return ProvenanceResponse(
            **asdict(provenance) | {"address": address},
            title=title_of(provenance.database),
            licence=LicenceResponse.of_database(provenance.database),
        )


def title_of(database: str) -> str:
    """The display title of a database; its name if it is unknown."""
    product_database = DATABASES.get(database)
    return product_database.title if product_database else database
