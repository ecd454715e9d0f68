"""Bulk import: tens of thousands of rows become listings in a few statements.

Rows are encoded for COPY, which writes them into a temporary table. Each statement then does for all rows what
``pipeline.steps.imports`` does row by row; generated tests check that both produce the same tables and verdicts. Locks
are taken in the order of the unit of work: new listings by external id, existing ones by id, then jobs, provenances and
the import.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import orjson
import psycopg2.extensions
from sqlalchemy import Connection, text

from infra.store.listings.repository import MAX_SEARCH_LENGTH
from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES
from infra.store.taxonomies.repository import add_categories
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import EncodedRows, IncomingRow, PageCounts
from pipeline.domain.job import JobKind, JobState, Priority, queue_of
from pipeline.domain.reason import Reason, coded_notes, coded_reason, sentences
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import Verdict

# Texts are not changed. Usable rows of a page with the same external id are either imported one after the other,
# numbered by ``turn`` from 0, or rejected as repetitions of the first of them, whose number is in ``first_in_page``.
CREATE_INCOMING = text(
    """
    CREATE TEMPORARY TABLE incoming (
        number integer, turn integer, first_in_page integer, external_id text, problem text, coded_problem jsonb,
        note text, coded_notes jsonb,
        fingerprint text, name text, description text, attributes jsonb, seller_category text, images jsonb,
        database text, address text, categories jsonb, modified_at timestamptz
    ) ON COMMIT DROP
    """
)
CREATE_JUDGED = text(
    """
    CREATE TEMPORARY TABLE judged (
        number integer, turn integer, verdict verdict, listing_id bigint, revision_id bigint, revision integer,
        reason text, coded_reason jsonb, created boolean, external_id text, note text, coded_notes jsonb,
        images jsonb, database text, address text, categories jsonb, modified_at timestamptz
    ) ON COMMIT DROP
    """
)
# Rows whose listing exists: whether they change it, and the number of an earlier row of the import with the same id.
CREATE_EXISTING = text(
    """
    CREATE TEMPORARY TABLE existing (
        number integer, turn integer, listing_id bigint, changes boolean, earlier_row integer
    ) ON COMMIT DROP
    """
)
# The full-text index takes entries in batches: with larger batches it is updated less often.
SET_BATCH_SIZES = text(
    "SELECT set_config('gin_pending_list_limit', '32768', true), set_config('work_mem', '65536', true)"
)
NULL = "\x01"
COPY_INCOMING = f"COPY incoming FROM STDIN WITH (FORMAT text, NULL E'\\x{ord(NULL):02x}', ENCODING 'UTF8')"
SEPARATOR = "\x02"
# Characters that have a meaning in the text format of COPY, and NUL, which Postgres cannot store.
ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", NULL: "\\001", SEPARATOR: "\\002", "\x00": None}
)
LINE_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\x00", ""), (SEPARATOR, "\t"))
# json.dumps would create an encoder for each call.
encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# ``left`` counts the characters of a text, which is slow, and few texts are that long.
FULL_SEARCH_TEXT = "a.external_id || ' ' || a.name || ' ' || a.description"
SEARCH_TEXT_BYTES = "octet_length(a.external_id) + octet_length(a.name) + octet_length(a.description) + 2"
SEARCH_TEXT = f"""
    CASE WHEN {SEARCH_TEXT_BYTES} <= {MAX_SEARCH_LENGTH} THEN {FULL_SEARCH_TEXT}
         ELSE left({FULL_SEARCH_TEXT}, {MAX_SEARCH_LENGTH}) END
"""
# Columns of a row that ``judged`` repeats, so that later statements need not look the row up again.
ROW_COLUMNS = "a.external_id, a.note, a.coded_notes, a.images, a.database, a.address, a.categories, a.modified_at"
NO_ID = Reason(ReasonCode.NO_ID)
NO_REASONS = (None,) * 4


def _same_id(row: str) -> str:
    """SQL for the reason ``same_id``, its text and its JSON; ``row`` is SQL for the earlier row's number."""
    code = ReasonCode.SAME_ID
    parameters = f"jsonb_build_object('row', {row})"
    message = code.message.removesuffix("{row}")
    return f"'{message}' || {row}, jsonb_build_object('code', '{code.value}', 'parameters', {parameters})"


# Ids are drawn first, so that one statement writes a listing and its revision, which refer to each other, and the
# listing is written only once. Missing listings are created in order of external id, the order of locking. IN under
# IS TRUE uses a hash table, whatever the planner estimates for tables that grow by thousands of rows per statement.
INSERT_NEW_LISTINGS = text(
    f"""
    WITH known AS MATERIALIZED (
        SELECT external_id FROM listings WHERE source_id = :source AND external_id = ANY(ARRAY(
            SELECT external_id FROM incoming WHERE problem IS NULL AND first_in_page IS NULL AND turn = 0))
    ), missing AS MATERIALIZED (
        SELECT nextval('listings_id_seq') AS listing_id, nextval('revisions_id_seq') AS revision_id, a.*
        FROM (SELECT * FROM incoming WHERE problem IS NULL AND first_in_page IS NULL AND turn = 0
              AND (external_id IN (SELECT external_id FROM known)) IS NOT TRUE ORDER BY external_id COLLATE "C") a
    ), created AS (
        INSERT INTO listings (id, source_id, external_id, status, search, current_revision_id)
        OVERRIDING SYSTEM VALUE
        SELECT a.listing_id, :source, a.external_id, 'pending', {SEARCH_TEXT}, a.revision_id
        FROM missing a ON CONFLICT (source_id, external_id) DO NOTHING RETURNING id
    ), revised AS (
        INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes, seller_category)
        OVERRIDING SYSTEM VALUE
        SELECT a.revision_id, a.listing_id, 1, a.fingerprint, a.name, a.description, a.attributes, a.seller_category
        FROM missing a WHERE (a.listing_id IN (SELECT id FROM created)) IS TRUE
    )
    INSERT INTO judged
    SELECT a.number, 0, 'new', a.listing_id, a.revision_id, 1, NULL, NULL, true, {ROW_COLUMNS}
    FROM missing a WHERE (a.listing_id IN (SELECT id FROM created)) IS TRUE
    """
)
REJECT_UNUSABLE = text(
    f"""
    INSERT INTO judged
    SELECT a.number, NULL, 'rejected', NULL, NULL, NULL, a.problem, a.coded_problem, false, {ROW_COLUMNS}
    FROM incoming a WHERE a.problem IS NOT NULL
    """
)
# All other rows have a listing. A listing whose rows all have its current content is only read, never locked; the
# verdict is that at the time of reading. OFFSET 0 makes the search for earlier rows use the index by listing: in the
# index by import, an import has as many entries as rows. A lateral look-up with a limit stays one index probe per row.
FIND_EXISTING = text(
    """
    INSERT INTO existing
    SELECT a.number, a.turn, l.id, coalesce(r.fingerprint, '') <> a.fingerprint OR l.withdrawn_at IS NOT NULL, e.number
    FROM incoming a LEFT JOIN judged j ON j.number = a.number
    CROSS JOIN LATERAL (SELECT id, current_revision_id, withdrawn_at FROM listings
                        WHERE source_id = :source AND external_id = a.external_id LIMIT 1) l
    LEFT JOIN LATERAL (SELECT fingerprint FROM revisions WHERE id = l.current_revision_id LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT min(number) AS number
                       FROM (SELECT number, import_id FROM import_rows WHERE listing_id = l.id OFFSET 0) r
                       WHERE NOT :latest_wins AND import_id = :import) e ON true
    WHERE j.number IS NULL AND a.first_in_page IS NULL
    """
)
REJECT_REPEATED_ACROSS_PAGES = text(
    f"""
    INSERT INTO judged
    SELECT a.number, NULL, 'rejected', NULL, NULL, NULL, {_same_id("x.earlier_row")}, false, {ROW_COLUMNS}
    FROM existing x JOIN incoming a USING (number) WHERE x.earlier_row IS NOT NULL
    """
)
# If the first row in the page is itself rejected because of an earlier row, the reason names that earlier row.
REJECT_REPEATED_IN_PAGE = text(
    f"""
    INSERT INTO judged
    SELECT a.number, NULL, 'rejected', NULL, NULL, NULL,
           {_same_id("coalesce(x.earlier_row, a.first_in_page)")}, false, {ROW_COLUMNS}
    FROM incoming a LEFT JOIN existing x ON x.number = a.first_in_page WHERE a.first_in_page IS NOT NULL
    """
)
MARK_ALL_TURNS_OF_CHANGED = text(
    """
    UPDATE existing SET changes = true
    WHERE NOT changes AND listing_id IN (SELECT listing_id FROM existing WHERE changes)
    """
)
LOCK_CHANGED_LISTINGS = text(
    """
    SELECT count(*) FROM (
        SELECT l.id FROM listings l
        WHERE l.id = ANY(ARRAY(SELECT listing_id FROM existing WHERE changes AND earlier_row IS NULL))
        ORDER BY l.id FOR NO KEY UPDATE
    ) locked
    """
)
# ``pipeline.domain.verdict.judge`` in SQL. A separate statement after the locks: the snapshot of the statement that
# waited for them may be outdated.
JUDGE_EXISTING = text(
    f"""
    WITH verdicts AS (
        INSERT INTO judged
        SELECT a.number, :turn, j.verdict, j.listing_id,
               CASE WHEN j.verdict <> 'unchanged' THEN nextval('revisions_id_seq') END, j.revision, NULL, NULL, false,
               {ROW_COLUMNS}
        FROM (
            SELECT x.number, x.listing_id, coalesce(r.number, 0) + 1 AS revision,
                   CAST(CASE WHEN NOT x.changes THEN 'unchanged' WHEN l.current_revision_id IS NULL THEN 'new'
                             WHEN r.fingerprint = a.fingerprint AND l.withdrawn_at IS NULL THEN 'unchanged'
                             ELSE 'changed' END AS verdict) AS verdict
            FROM existing x JOIN incoming a USING (number)
            CROSS JOIN LATERAL (SELECT current_revision_id, withdrawn_at FROM listings
                                WHERE id = x.listing_id LIMIT 1) l
            LEFT JOIN LATERAL (SELECT number, fingerprint FROM revisions
                               WHERE id = l.current_revision_id LIMIT 1) r ON true
            WHERE x.turn = :turn AND x.earlier_row IS NULL ORDER BY x.number
        ) j JOIN incoming a USING (number) RETURNING revision_id
    )
    SELECT count(revision_id) FROM verdicts
    """
)
SUPERSEDE_JOBS_OF_CHANGED = text(
    f"""
    UPDATE jobs SET state = '{JobState.SUPERSEDED}', deadline = NULL, ended_at = now(), note = 'a newer revision'
    WHERE listing_id = ANY(ARRAY(SELECT listing_id FROM judged WHERE turn = :turn AND verdict = 'changed'))
    AND state IN {SQL_OPEN_STATES}
    """
)
INSERT_REVISIONS = text(
    """
    INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes, seller_category)
    OVERRIDING SYSTEM VALUE
    SELECT j.revision_id, j.listing_id, j.revision, a.fingerprint, a.name, a.description, a.attributes,
           a.seller_category
    FROM judged j JOIN incoming a USING (number) JOIN existing x USING (number)
    WHERE j.turn = :turn AND j.revision_id IS NOT NULL ORDER BY j.number
    """
)
UPDATE_LISTINGS = text(
    f"""
    UPDATE listings SET current_revision_id = j.revision_id, search = {SEARCH_TEXT}, status = 'pending',
           category = NULL, confidence = NULL, reviewed = false, withdrawn_at = NULL, updated_at = now()
    FROM judged j JOIN incoming a USING (number) JOIN existing x USING (number)
    WHERE j.turn = :turn AND j.revision_id IS NOT NULL AND listings.id = j.listing_id
    AND listings.id = ANY(ARRAY(SELECT listing_id FROM judged WHERE turn = :turn AND revision_id IS NOT NULL))
    """
)
INSERT_IMAGES = text(
    """
    INSERT INTO images (revision_id, position, reference, status)
    SELECT j.revision_id, i.ordinal - 1, i.reference, 'pending' FROM judged j
    CROSS JOIN LATERAL jsonb_array_elements_text(j.images) WITH ORDINALITY AS i(reference, ordinal)
    WHERE j.revision_id IS NOT NULL AND j.images IS NOT NULL
    """
)
# In the order of the rows, since jobs are taken in the order of their ids.
INSERT_JOBS = text(
    """
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', CAST(:priority AS priority), CAST(:queue AS queue), listing_id, revision_id
    FROM judged WHERE turn = :turn AND revision_id IS NOT NULL ORDER BY number
    """
)
INSERT_PROVENANCES_OF_NEW = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT listing_id, database, address, categories, modified_at FROM judged WHERE created AND database IS NOT NULL
    """
)
# In order of listing, so that two imports of the same products wait for each other instead of deadlocking.
UPSERT_PROVENANCES = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT l.* FROM (
        SELECT DISTINCT ON (listing_id) listing_id, database, address, categories, modified_at
        FROM judged WHERE listing_id IS NOT NULL AND database IS NOT NULL AND NOT created
        ORDER BY listing_id, number DESC
    ) l
    LEFT JOIN LATERAL (SELECT * FROM provenances WHERE listing_id = l.listing_id LIMIT 1) p ON true
    WHERE (p.database, p.address, p.categories, p.modified_at)
          IS DISTINCT FROM (l.database, l.address, l.categories, l.modified_at)
    ORDER BY l.listing_id
    ON CONFLICT (listing_id) DO UPDATE SET database = excluded.database, address = excluded.address,
        categories = excluded.categories, modified_at = excluded.modified_at, seen_at = now()
    """
)
COUNT_VERDICTS_OF_PAGE = text(
    """
    SELECT verdict, count(*) AS number, count(*) FILTER (WHERE images IS NULL) AS without_photo
    FROM judged GROUP BY verdict
    """
)
INSERT_VERDICTS = text(
    """
    INSERT INTO import_rows (
        import_id, number, external_id, listing_id, verdict, reason, coded_reason, note, coded_notes
    )
    SELECT :import, number, external_id, listing_id, verdict, reason, coded_reason, note, coded_notes
    FROM judged ORDER BY number
    """
)


def encode_rows(rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
    """Encode rows in the text format of COPY. Implements ``pipeline.ports.repositories.RowEncoder``."""
    lines: list[str] = []
    turns = accepted = 0
    first_row_and_last_turn: dict[str, tuple[int, int]] = {}  # by external id
    for row in rows:
        problem, turn, first_in_page = row.problem, 0, None
        if row.content is None or row.external_id is None:
            problem = problem or NO_ID
        else:
            first_row, turn = first_row_and_last_turn.get(row.external_id, (row.number, -1))
            first_row_and_last_turn[row.external_id] = (first_row, turn := turn + 1)
            if turn and not latest_wins:
                first_in_page, turn = first_row, 0
            turns = max(turns, turn)
            accepted += problem is None and first_in_page is None
        lines.append(_encode_row(row, problem, turn, first_in_page))
    categories = frozenset(row.content.seller_category for row in rows if row.content is not None)
    content = "".join(lines).encode("utf-8", "replace")
    return EncodedRows(rows[0].number, rows[-1].number, content, latest_wins, turns, accepted, categories)


def import_rows(connection: Connection, source_id: int, import_id: int, rows: EncodedRows) -> PageCounts:
    """Import encoded rows, without writing the import's counts and cursor or the verdicts (``write_verdicts``)."""
    _copy(connection, rows)
    parameters = {"source": source_id, "import": import_id, "latest_wins": rows.latest_wins}
    for statement in (SET_BATCH_SIZES, CREATE_JUDGED, CREATE_EXISTING):
        connection.execute(statement)
    created = connection.execute(INSERT_NEW_LISTINGS, parameters).rowcount
    connection.execute(REJECT_UNUSABLE)
    some_existed = created < rows.accepted
    if some_existed:
        connection.execute(FIND_EXISTING, parameters)
        for statement in (REJECT_REPEATED_ACROSS_PAGES, MARK_ALL_TURNS_OF_CHANGED, LOCK_CHANGED_LISTINGS):
            connection.execute(statement)
    connection.execute(REJECT_REPEATED_IN_PAGE)
    for turn in range(rows.turns + 1):
        if some_existed:
            _revise_existing(connection, turn)
        _insert_jobs(connection, turn)
    connection.execute(INSERT_IMAGES)
    add_categories(connection, source_id, rows.seller_categories)
    connection.execute(INSERT_PROVENANCES_OF_NEW)
    connection.execute(UPSERT_PROVENANCES)
    count_rows = connection.execute(COUNT_VERDICTS_OF_PAGE).all()
    verdicts = Counter({Verdict(row.verdict): row.number for row in count_rows})
    if verdicts.total() != rows.last - rows.first + 1:
        raise Conflict("a listing was deleted while a page of the import was being imported; it continues from there")
    wake_relay(connection)
    return PageCounts(verdicts, sum(row.without_photo for row in count_rows if row.verdict != Verdict.REJECTED))


def write_verdicts(connection: Connection, import_id: int) -> None:
    """Write the verdicts of the page that was just imported."""
    connection.execute(INSERT_VERDICTS, {"import": import_id})


def _copy(connection: Connection, rows: EncodedRows) -> None:
    """Copy the rows into the temporary table ``incoming``, which is dropped when the transaction ends."""
    connection.execute(CREATE_INCOMING)
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, psycopg2.extensions.connection)
    with driver_connection.cursor() as cursor:
        cursor.copy_expert(COPY_INCOMING, io.BytesIO(rows.content))


def _revise_existing(connection: Connection, turn: int) -> None:
    """Judge the rows of this turn whose listing existed, and write the revisions of those that change it."""
    if connection.execute(JUDGE_EXISTING, {"turn": turn}).scalar_one():
        for statement in (SUPERSEDE_JOBS_OF_CHANGED, INSERT_REVISIONS, UPDATE_LISTINGS):
            connection.execute(statement, {"turn": turn})


def _insert_jobs(connection: Connection, turn: int) -> None:
    queue = queue_of(JobKind.CATEGORISE, Priority.IMPORT)
    connection.execute(INSERT_JOBS, {"turn": turn, "priority": Priority.IMPORT, "queue": queue})


def _encode_row(row: IncomingRow, problem: Reason | None, turn: int, first_in_page: int | None) -> str:
    content, provenance = row.content, row.provenance
    fields: list[str | None] = [
        str(row.number),
        str(turn),
        None if first_in_page is None else str(first_in_page),
        row.external_id,
        *_encode_reasons(problem, row.notes),
    ]
    if problem is not None or first_in_page is not None or content is None:
        fields += [None] * 10
    else:
        fields += (
            content.fingerprint(),
            content.name,
            content.description,
            _json(dict(content.attributes)),
            content.seller_category,
            _json(content.images) if content.images else None,
        )
        if provenance is None:
            fields += [None] * 4
        else:
            modified = provenance.modified_at.isoformat() if provenance.modified_at else None
            fields += (provenance.source, provenance.address, _json(provenance.categories), modified)
    return _encode_line(fields)


def _encode_reasons(problem: Reason | None, notes: tuple[Reason, ...]) -> Sequence[str | None]:
    """Problem and notes, each as English text and as JSON."""
    if problem is None and not notes:
        return NO_REASONS
    coded = coded_reason(problem)
    encoded = _encode_notes(notes) if any(note.parameters for note in notes) else _cached_notes(notes)
    return (None if problem is None else str(problem), None if coded is None else _json(coded), *encoded)


def _encode_notes(notes: tuple[Reason, ...]) -> tuple[str | None, str | None]:
    coded = coded_notes(notes)
    return sentences(notes) or None, None if coded is None else _json(coded)


@lru_cache(maxsize=1 << 10)  # notes without parameters repeat
def _cached_notes(notes: tuple[Reason, ...]) -> tuple[str | None, str | None]:
    return _encode_notes(notes)


def _encode_line(fields: Sequence[str | None]) -> str:
    line = SEPARATOR.join([NULL if field is None else field for field in fields])
    if line.count(SEPARATOR) == len(fields) - 1 and line.count(NULL) == fields.count(None):
        # Neither character occurs in a field: the whole line can be escaped at once.
        for special, escaped in LINE_ESCAPES:
            if special in line:
                line = line.replace(special, escaped)
        return line + "\n"
    return "\t".join([NULL if field is None else field.translate(ESCAPES) for field in fields]) + "\n"


def _json(value: object) -> str:
    try:
        encoded = orjson.dumps(value).decode()
    except TypeError:  # lone surrogates, which the standard encoder accepts
        encoded = encode_json(value)
    # jsonb rejects NUL, which is written as an escape sequence.
    return _json(_without_nul(value)) if "\\u0000" in encoded and _without_nul(value) != value else encoded


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list | tuple) else value
