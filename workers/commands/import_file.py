"""The command that imports a catalogue file: ``rayon import``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from infra.catalogue_files.catalogue import (
    Catalogue,
    CatalogueOptions,
    catalogue_name,
    file_fingerprint,
    open_catalogue,
)
from infra.catalogue_files.column_detection import ROLES
from infra.catalogue_files.photo_folder import PhotoFolder, photo_of_row
from infra.catalogue_files.rows import CatalogueRow
from infra.catalogue_files.summary import CatalogueSummary
from infra.catalogue_files.variant_rows import VariantMode
from infra.catalogue_files.verdict_file import VerdictWriter
from infra.photos.photo_fetcher import image_key
from infra.store.imports.repository import accepted_ids, import_locks
from infra.store.sources import find_source
from infra.store.taxonomies.queries import category_paths
from pipeline.domain.category_notation import RECOGNISED, CategoryNotation
from pipeline.domain.category_spelling import CategorySpelling
from pipeline.domain.errors import BadImage, InvalidInput
from pipeline.domain.import_run import ImportRequest, ImportRun, IncomingRow, RowVerdict
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason, reason_of, sentences
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import Verdict
from pipeline.steps.imports import DryRun, dry_run_source, import_page, running_import, save_summary
from pipeline.steps.source_registration import find_or_add_source
from workers.bootstrap import WorkerContext
from workers.commands.command_context import open_context
from workers.commands.import_results import (
    database_needed,
    print_how_to_continue,
    verdict_file,
    wait_for_decisions,
    write_verdicts,
)
from workers.commands.metric_tables import print_similar_categories
from workers.commands.options import (
    CategoryListSeparatorOption,
    CategorySeparatorOption,
    ColumnsOption,
    chosen_columns,
)
from workers.commands.terminal import AsJson, print_json, print_line, print_note, progress_bar

PAGE_ROWS = 200
PAGE_BYTES = 64 << 20  # of photos that are in the catalogue itself
PHOTO_THREADS = 8
MAX_COLUMNS = 30  # names of columns that were not read, without --list-columns
MAX_SIMILAR = 10
MAX_EXAMPLES = 3  # rows named for each kind of problem

Choice = TypeVar("Choice", bound=StrEnum)
PageImporter = Callable[[Sequence[IncomingRow]], list[RowVerdict]]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, TSV, JSON, XML, XLSX or Parquet, also in .gz or .zip; columns are detected")
    ],
    *,
    images: Annotated[Path | None, typer.Option(help="the folder of the photos that rows name")] = None,
    columns: ColumnsOption = None,
    source: Annotated[str, typer.Option(help="where the listings come from; by default the file's name")] = "",
    taxonomy: Annotated[str, typer.Option(help="the taxonomy of a new source; by default the source's name")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the verdict on every row, change nothing")] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="from the first row, even after an interruption")] = False,
    variants: Annotated[str, typer.Option(help="variants of a product: one listing with it, or separate ones")] = "one",
    category: Annotated[
        str, typer.Option(help="of several categories in a cell: first, deepest (of the first tree), or specific")
    ] = "",
    category_separator: CategorySeparatorOption = None,
    category_list_separator: CategoryListSeparatorOption = None,
    list_columns: Annotated[bool, typer.Option("--list-columns", help="show the columns that were not read")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait until every listing is decided")] = False,
    verdicts: Annotated[Path | None, typer.Option(help="where to write the verdict on every row")] = None,
    as_json: AsJson = False,
) -> None:
    """Import a catalogue file, with a verdict on every row; importing it again changes nothing.

    After an interruption the same command continues at the row where it stopped.
    """
    chosen = chosen_columns(columns)
    notation = CategoryNotation.of(category_separator, category_list_separator, category)
    variant_mode = _one_of(VariantMode, variants, "--variants")
    context = open_context("import")
    name = source or catalogue_name(file)
    catalogue = open_catalogue(
        file,
        columns=chosen,
        options=CatalogueOptions(variant_mode, notation.merged_with(_notation_of(context, name))),
    )
    photos = RowPhotos(context, PhotoFolder(images) if images else None, dry_run=dry_run)
    target = verdict_file(verdicts or context.settings.home / "verdicts" / f"{file.stem}.verdicts.csv")
    for warning in catalogue.warnings:
        print_note(f"note: {warning}")
    import_id = None
    with database_needed(), progress_bar() as report:
        importer = CatalogueImporter(catalogue, photos, report, _known_spelling(context, name))
        if dry_run:
            target_source = dry_run_source(context.units, name, taxonomy or None)
            dry_run_import = DryRun(context.units, target_source.id, ids_recur="external_id" not in catalogue.columns)
            with VerdictWriter(target) as writer:
                importer.import_rows(catalogue, dry_run_import.import_page, writer.write)
            summary = _summary(importer.summary, catalogue)
        else:
            target_source = find_or_add_source(context.units, name, taxonomy or None)
            fingerprint = file_fingerprint(file, chosen, images)
            request = ImportRequest(target_source.id, file.name, fingerprint, catalogue.count_hint)
            locks = import_locks(context.engine)
            with running_import(context.units, locks, request, afresh=afresh) as run, print_how_to_continue():
                import_id = run.id
                if run.row:
                    print_note(
                        f"continuing import {run.id} after row {run.row} (--afresh starts it from the first row)"
                    )
                importer.tally.resume(run)
                importer.summarise(islice(catalogue, run.row))
                importer.import_rows(
                    _remaining_rows(context, run, catalogue),
                    partial(import_page, context.units, target_source.id, run.id),
                )
                summary = _summary(importer.summary, catalogue)
                save_summary(context.units, run.id, summary)
                write_verdicts(context, run.id, target)
    tally = importer.tally
    result: dict[str, Any] = {
        "import": import_id,
        "source": name,
        "taxonomy": target_source.taxonomy,
        "rows": tally.rows,
    }
    result |= {verdict.value: tally.verdicts[verdict] for verdict in Verdict}
    result |= {"without_photo": tally.without_photo, "verdicts": str(target), **asdict(_columns_read(catalogue))}
    result |= {"why_rejected": tally.why_rejected, "why_without_photo": tally.why_without_photo}
    result |= {"summary": summary}
    if not as_json:
        _print_result(result, dry_run=dry_run, list_columns=list_columns)
    left = 0
    if wait and import_id is not None:
        result["outcome"] = wait_for_decisions(context, import_id, tally.accepted, silent=as_json)
        left = result["outcome"]["waiting"]
    if as_json:
        print_json(result)
    if tally.rows and tally.verdicts[Verdict.REJECTED] > context.settings.import_max_rejected * tally.rows:
        kind = tally.why_rejected[0] if tally.why_rejected else "see the file of verdicts"
        print_note(f"{tally.verdicts[Verdict.REJECTED]} of {tally.rows} rows were rejected, such as {kind}")
        raise typer.Exit(1)
    if left:
        raise typer.Exit(1)


class CatalogueImporter:
    """Imports the rows of a catalogue page by page, with their photos, and tallies the verdicts."""

    def __init__(self, catalogue: Catalogue, photos: RowPhotos, report: Progress, spelling: CategorySpelling) -> None:
        self.tally = ImportTally()
        self.summary = CatalogueSummary()
        self._catalogue, self._photos, self._report, self._spelling = catalogue, photos, report, spelling

    def import_rows(
        self,
        rows: Iterable[CatalogueRow],
        import_page: PageImporter,
        write: Callable[[RowVerdict], None] = lambda _: None,
    ) -> None:
        """Import rows; ``write`` is given each verdict once its page is imported."""
        for page in pages(map(self._respelled, rows)):
            for catalogue_row in page:
                self.summary.add(catalogue_row)
            incoming = [incoming_row(row, photo) for row, photo in zip(page, self._photos.store(page), strict=True)]
            for row, verdict in zip(incoming, import_page(incoming), strict=True):
                self.tally.add(row, verdict.verdict)
                write(verdict)
            done = self.tally.rows
            self._report(done / max(self._catalogue.count_hint, done), f"{done} rows")

    def summarise(self, rows: Iterable[CatalogueRow]) -> None:
        """Add rows to the summary without importing them."""
        for row in map(self._respelled, rows):
            self.summary.add(row)

    def _respelled(self, row: CatalogueRow) -> CatalogueRow:
        """The row with its category spelled as in the taxonomy."""
        if row.content is None or row.content.seller_category is None:
            return row
        spelling = self._spelling.respell(row.content.seller_category)
        if spelling == row.content.seller_category:
            return row
        note = Reason.of(ReasonCode.CATEGORY_RESPELLED, spelling=row.content.seller_category)
        return replace(row, content=replace(row.content, seller_category=spelling), notes=(*row.notes, note))


@dataclass
class ImportTally:
    """The counts of an import so far, with the reasons why the first rows were rejected or have no photo."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    without_photo: int = 0
    why_rejected: list[str] = field(default_factory=list)
    why_without_photo: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows with a verdict."""
        return self.verdicts.total()

    @property
    def accepted(self) -> int:
        """Rows with a listing of their own."""
        return self.rows - self.verdicts[Verdict.REJECTED] - self.verdicts[Verdict.VARIANT]

    def resume(self, run: ImportRun) -> None:
        """Start from the counts of an import that continues."""
        self.verdicts, self.without_photo = Counter(run.verdicts), run.without_photo

    def add(self, row: IncomingRow, verdict: Verdict) -> None:
        """Count one more row."""
        self.verdicts[verdict] += 1
        if verdict is Verdict.REJECTED:
            _add_example(self.why_rejected, row, sentences((row.problem,)))
        if row.content is not None and not row.content.images:
            self.without_photo += 1
            _add_example(self.why_without_photo, row, sentences(row.notes))


class RowPhotos:
    """Photos of rows, from the catalogue or a folder, on their way into the storage; a dry run computes their keys."""

    def __init__(self, context: WorkerContext, folder: PhotoFolder | None, *, dry_run: bool) -> None:
        self._context, self._folder, self._dry_run = context, folder, dry_run

    def store(self, rows: Sequence[CatalogueRow]) -> list[RowPhoto]:
        """Store the photos of rows, in their order; StorageUnavailable when the storage does not answer."""
        with ThreadPoolExecutor(PHOTO_THREADS) as pool:
            return list(pool.map(self._store, rows))

    def _store(self, row: CatalogueRow) -> RowPhoto:
        if row.content is None or not (row.photo or row.image_file):
            return RowPhoto()
        if self._folder is None and not row.photo:
            return RowPhoto(problem=Reason.of(ReasonCode.PHOTO_FOLDER_NOT_GIVEN, name=str(row.image_file)))
        settings = self._context.settings
        try:
            content = photo_of_row(self._folder, row, settings.fetch_bytes, settings.fetch_pixels)
        except BadImage as error:
            return RowPhoto(problem=reason_of(error))
        assert content is not None
        return RowPhoto(image_key(content) if self._dry_run else self._context.photos.store(content).storage_key)


@dataclass(frozen=True, slots=True)
class RowPhoto:
    """The storage key of a row's photo, or the problem with it; both None when the row has none."""

    key: str | None = None
    problem: Reason | None = None


def pages(rows: Iterable[CatalogueRow]) -> Iterator[list[CatalogueRow]]:
    """The rows in pages of 200, or fewer when the photos in them weigh 64 MiB together."""
    page: list[CatalogueRow] = []
    size = 0
    for row in rows:
        page.append(row)
        size += len(row.photo or b"")
        if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def incoming_row(row: CatalogueRow, photo: RowPhoto) -> IncomingRow:
    """A row of a file as a row to import, its photo first among its images."""
    notes = row.notes if photo.problem is None else (photo.problem, *row.notes)
    if row.variant_of is not None:
        return IncomingRow(row.number, row.external_id, None, notes=notes, is_variant=True)
    if row.content is None:
        return IncomingRow(row.number, row.external_id, None, row.problem or Reason(ReasonCode.NO_CONTENT), notes)
    images = ((photo.key,) if photo.key else ()) + row.content.images
    return IncomingRow(row.number, row.known_id, replace(row.content, images=images), None, notes)


def _remaining_rows(context: WorkerContext, run: ImportRun, catalogue: Catalogue) -> Iterator[CatalogueRow]:
    if not run.row or "external_id" not in catalogue.columns:
        return catalogue.rows(run.row)
    with context.engine.connect() as connection:
        return catalogue.rows(run.row, accepted_ids(connection, run.id))


def _notation_of(context: WorkerContext, source_name: str) -> CategoryNotation:
    """The notation that is stored for the source."""
    with database_needed(), context.engine.connect() as connection:
        source = find_source(connection, source_name)
        return RECOGNISED if source is None else source.notation


def _known_spelling(context: WorkerContext, source_name: str) -> CategorySpelling:
    """The spelling of the categories that the source's taxonomy has."""
    with context.engine.connect() as connection:
        source = find_source(connection, source_name)
        return CategorySpelling([] if source is None else category_paths(connection, source.taxonomy_id))


def _summary(summary: CatalogueSummary, catalogue: Catalogue) -> dict[str, Any]:
    from pipeline.classification.similar_labels import find_similar_labels

    similar = find_similar_labels(summary.categories.elements(), MAX_SIMILAR)
    return {**summary.as_json(catalogue), "similar": [asdict(pair) for pair in similar]}


def _one_of(kind: type[Choice], text: str, option: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput(f"{option} is '{text[:40]}'; choose one of {', '.join(kind)}") from None


def _add_example(examples: list[str], row: IncomingRow, reason: str) -> None:
    if reason and len(examples) < MAX_EXAMPLES:
        examples.append(f"row {row.number}: {reason}")


def _print_result(result: dict[str, Any], *, dry_run: bool, list_columns: bool) -> None:
    print_line(("would import" if dry_run else "imported") + f" {result['rows']} rows as source '{result['source']}':")
    for count in (*(verdict.value for verdict in Verdict), "without_photo"):
        print_line(f"  {result[count]:>7} {count.replace('_', ' ')}")
        for reason in result.get(f"why_{count}", ()):
            print_line(f"            {reason}")
    _print_summary(result["summary"])
    read = [f"{role}={column}" for role, column in result["columns"].items()]
    print_line(f"columns: {', '.join(read)}")
    if result["not_read"]:
        names = result["not_read"] if list_columns else result["not_read"][:MAX_COLUMNS]
        more = len(result["not_read"]) - len(names)
        print_line(f"not read: {', '.join(names)}" + (f" and {more} more (--list-columns)" if more else ""))
    print_line(f"verdict on every row: {result['verdicts']}")


def _print_summary(summary: Mapping[str, Any]) -> None:
    if summary["platform"]:
        print_line(f"read as an export of {summary['platform']}")
    for role, found in summary["fields"].items():
        print_line(f"  {role:<12} {found['column']}" + (f": {found['example']}" if found["example"] else ""))
    if summary["variants"]:
        print_line(f"{summary['variants']} variants of listings above")
    if summary["categories"]:
        largest = ", ".join(f"{each['category']} ({each['rows']})" for each in summary["largest_categories"])
        print_line(
            f"{summary['with_category']} rows have a category: {summary['categories']} categories of up to "
            f"{summary['levels']} levels; the largest: {largest}"
        )
    print_similar_categories({"similar_categories": summary["similar"]})
    for note in summary["notes"]:
        print_line(f"{note['rows']:>7} rows: {note['example']}")


@dataclass(frozen=True, slots=True)
class ColumnsRead:
    """The columns that were read, by the roles of ``--columns``, and those that were not."""

    columns: dict[str, str]
    not_read: tuple[str, ...]


def _columns_read(catalogue: Catalogue) -> ColumnsRead:
    roles = {field: role for role, field in ROLES.items()}
    read = {roles[field]: column for field, column in catalogue.columns.items()}
    if catalogue.attribute_columns:
        read["attributes"] = ",".join(filter(None, (read.get("attributes"), *catalogue.attribute_columns)))
    return ColumnsRead(read, catalogue.left_out)
