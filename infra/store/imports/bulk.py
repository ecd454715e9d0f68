"""Bulk intake: tens of thousands of rows become listings in a few statements, with the end that one at a time has.

What ``pipeline.steps.intake`` does for a submission, each statement here does for all rows of a page; the tests hold
both to the same tables. Locks are taken in the order of the unit of work: listings that are created by external id,
then those that are there by id, then jobs, provenances, the import.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, text

from infra.store.imports.staging import stage
from infra.store.listings.repository import SEARCH_LENGTH
from infra.store.notifications import wake_relay
from infra.store.sql import SQL_OPEN_STATES
from infra.store.taxonomies.repository import add_categories
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import EncodedRows, PageCounts
from pipeline.domain.job import JobKind, JobState, Priority, queue_of
from pipeline.domain.verdict import Verdict

# Cutting a text counts its characters, and few are that long.
TEXTS = "a.external_id || ' ' || a.name || ' ' || a.description"
BYTES = "octet_length(a.external_id) + octet_length(a.name) + octet_length(a.description) + 2"
SEARCH = f"CASE WHEN {BYTES} <= {SEARCH_LENGTH} THEN {TEXTS} ELSE left({TEXTS}, {SEARCH_LENGTH}) END"
# The index of texts takes entries in batches: larger ones go over it less often.
BATCHES = text("SELECT set_config('gin_pending_list_limit', '32768', true), set_config('work_mem', '65536', true)")
JUDGED = text(
    """
    CREATE TEMPORARY TABLE judged (
        number integer, turn integer, verdict verdict, listing_id bigint, revision_id bigint, revision integer,
        reason text, made boolean, external_id text, note text, images jsonb, database text, address text,
        categories jsonb, modified_at timestamptz
    ) ON COMMIT DROP
    """
)
STANDING = text(
    """
    CREATE TEMPORARY TABLE standing (number integer, turn integer, listing_id bigint, held boolean, met integer)
    ON COMMIT DROP
    """
)
# What a verdict takes along of its row, so that nothing that follows looks for the row again.
REST = "a.external_id, a.note, a.images, a.database, a.address, a.categories, a.modified_at"
# Ids come first, so that a listing and its revision, which point at each other, are written by one statement, and a
# listing is written once. What is absent is kept in order of external id, in which listings are locked. IN under IS
# TRUE is looked up in a hash table, whatever the planner thinks of tables that grow by thousands of rows between two
# statements.
MAKE = text(
    f"""
    WITH known AS MATERIALIZED (
        SELECT external_id FROM listings WHERE source_id = :source AND external_id = ANY(ARRAY(
            SELECT external_id FROM arrived WHERE problem IS NULL AND same_as IS NULL AND turn = 0))
    ), absent AS MATERIALIZED (
        SELECT nextval('listings_id_seq') AS listing_id, nextval('revisions_id_seq') AS revision_id, a.*
        FROM (SELECT * FROM arrived WHERE problem IS NULL AND same_as IS NULL AND turn = 0
              AND (external_id IN (SELECT external_id FROM known)) IS NOT TRUE ORDER BY external_id COLLATE "C") a
    ), made AS (
        INSERT INTO listings (id, source_id, external_id, status, search, current_revision_id)
        OVERRIDING SYSTEM VALUE
        SELECT a.listing_id, :source, a.external_id, 'pending', {SEARCH}, a.revision_id
        FROM absent a ON CONFLICT (source_id, external_id) DO NOTHING RETURNING id
    ), revised AS (
        INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes, seller_category)
        OVERRIDING SYSTEM VALUE
        SELECT a.revision_id, a.listing_id, 1, a.fingerprint, a.name, a.description, a.attributes, a.seller_category
        FROM absent a WHERE (a.listing_id IN (SELECT id FROM made)) IS TRUE
    )
    INSERT INTO judged
    SELECT a.number, 0, 'new', a.listing_id, a.revision_id, 1, NULL, true, {REST}
    FROM absent a WHERE (a.listing_id IN (SELECT id FROM made)) IS TRUE
    """
)
REJECT = text(
    f"""
    INSERT INTO judged SELECT a.number, NULL, 'rejected', NULL, NULL, NULL, a.problem, false, {REST} FROM arrived a
    WHERE a.problem IS NOT NULL
    """
)
# Everything else has a listing. One whose content is that of every row of it is only looked at, never locked: the
# verdict holds for the moment of this look. OFFSET 0 keeps the look for earlier rows to the index by listing: that by
# import has as many entries as the import has rows by now. A lateral look-up with a limit stays one probe of an index
# a row.
FIND = text(
    """
    INSERT INTO standing
    SELECT a.number, a.turn, l.id, coalesce(r.fingerprint, '') <> a.fingerprint OR l.withdrawn_at IS NOT NULL, m.number
    FROM arrived a LEFT JOIN judged j ON j.number = a.number
    CROSS JOIN LATERAL (SELECT id, current_revision_id, withdrawn_at FROM listings
                        WHERE source_id = :source AND external_id = a.external_id LIMIT 1) l
    LEFT JOIN LATERAL (SELECT fingerprint FROM revisions WHERE id = l.current_revision_id LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT min(number) AS number
                       FROM (SELECT number, import_id FROM import_rows WHERE listing_id = l.id OFFSET 0) r
                       WHERE NOT :latest_wins AND import_id = :import) m ON true
    WHERE j.number IS NULL AND a.same_as IS NULL
    """
)
MET = text(
    f"""
    INSERT INTO judged
    SELECT a.number, NULL, 'rejected', NULL, NULL, NULL, 'same id as row ' || s.met, false, {REST}
    FROM standing s JOIN arrived a USING (number) WHERE s.met IS NOT NULL
    """
)
# After it: where the first of the page came on an earlier one, that is the row to name.
REPEATED = text(
    f"""
    INSERT INTO judged
    SELECT a.number, NULL, 'rejected', NULL, NULL, NULL, 'same id as row ' || coalesce(s.met, a.same_as), false, {REST}
    FROM arrived a LEFT JOIN standing s ON s.number = a.same_as WHERE a.same_as IS NOT NULL
    """
)
HOLD_ALL_TURNS = text(
    """
    UPDATE standing SET held = true
    WHERE NOT held AND listing_id IN (SELECT listing_id FROM standing WHERE held)
    """
)
HOLD = text(
    """
    SELECT count(*) FROM (
        SELECT l.id FROM listings l WHERE l.id = ANY(ARRAY(SELECT listing_id FROM standing WHERE held AND met IS NULL))
        ORDER BY l.id FOR NO KEY UPDATE
    ) held
    """
)
# A statement of its own, after the locks: the one that waited for them still sees what was before.
JUDGE = text(
    f"""
    WITH now AS (
        INSERT INTO judged
        SELECT a.number, :turn, j.verdict, j.listing_id,
               CASE WHEN j.verdict <> 'unchanged' THEN nextval('revisions_id_seq') END, j.revision, NULL, false, {REST}
        FROM (
            SELECT s.number, s.listing_id, coalesce(r.number, 0) + 1 AS revision,
                   CAST(CASE WHEN NOT s.held THEN 'unchanged' WHEN l.current_revision_id IS NULL THEN 'new'
                             WHEN r.fingerprint = a.fingerprint AND l.withdrawn_at IS NULL THEN 'unchanged'
                             ELSE 'changed' END AS verdict) AS verdict
            FROM standing s JOIN arrived a USING (number)
            CROSS JOIN LATERAL (SELECT current_revision_id, withdrawn_at FROM listings
                                WHERE id = s.listing_id LIMIT 1) l
            LEFT JOIN LATERAL (SELECT number, fingerprint FROM revisions
                               WHERE id = l.current_revision_id LIMIT 1) r ON true
            WHERE s.turn = :turn AND s.met IS NULL ORDER BY s.number
        ) j JOIN arrived a USING (number) RETURNING revision_id
    )
    SELECT count(revision_id) FROM now
    """
)
SUPERSEDE = text(
    f"""
    UPDATE jobs SET state = '{JobState.SUPERSEDED}', deadline = NULL, ended_at = now(), note = 'a newer revision'
    WHERE listing_id = ANY(ARRAY(SELECT listing_id FROM judged WHERE turn = :turn AND verdict = 'changed'))
    AND state IN {SQL_OPEN_STATES}
    """
)
REVISE = text(
    """
    INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes, seller_category)
    OVERRIDING SYSTEM VALUE
    SELECT j.revision_id, j.listing_id, j.revision, a.fingerprint, a.name, a.description, a.attributes,
           a.seller_category
    FROM judged j JOIN arrived a USING (number) JOIN standing s USING (number)
    WHERE j.turn = :turn AND j.revision_id IS NOT NULL ORDER BY j.number
    """
)
RENEW = text(
    f"""
    UPDATE listings SET current_revision_id = j.revision_id, search = {SEARCH}, status = 'pending', category = NULL,
           confidence = NULL, reviewed = false, withdrawn_at = NULL, updated_at = now()
    FROM judged j JOIN arrived a USING (number) JOIN standing s USING (number)
    WHERE j.turn = :turn AND j.revision_id IS NOT NULL AND listings.id = j.listing_id
    AND listings.id = ANY(ARRAY(SELECT listing_id FROM judged WHERE turn = :turn AND revision_id IS NOT NULL))
    """
)
ILLUSTRATE = text(
    """
    INSERT INTO images (revision_id, position, reference, status)
    SELECT j.revision_id, i.place - 1, i.reference, 'pending' FROM judged j
    CROSS JOIN LATERAL jsonb_array_elements_text(j.images) WITH ORDINALITY AS i(reference, place)
    WHERE j.revision_id IS NOT NULL AND j.images IS NOT NULL
    """
)
# The oldest row first: in this order they are taken.
ADD_JOBS = text(
    """
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', CAST(:priority AS priority), CAST(:queue AS queue), listing_id, revision_id
    FROM judged WHERE turn = :turn AND revision_id IS NOT NULL ORDER BY number
    """
)
TRACE_MADE = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT listing_id, database, address, categories, modified_at FROM judged WHERE made AND database IS NOT NULL
    """
)
# In order of listing, so that two imports of the same products wait for each other instead of deadlocking.
TRACE = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT l.* FROM (
        SELECT DISTINCT ON (listing_id) listing_id, database, address, categories, modified_at
        FROM judged WHERE listing_id IS NOT NULL AND database IS NOT NULL AND NOT made
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
WRITE_VERDICTS = text(
    """
    INSERT INTO import_rows (import_id, number, external_id, listing_id, verdict, reason, note)
    SELECT :import, number, external_id, listing_id, verdict, reason, note FROM judged ORDER BY number
    """
)
COUNT = text(
    "SELECT verdict, count(*) AS number, count(*) FILTER (WHERE images IS NULL) AS bare FROM judged GROUP BY verdict"
)


def import_rows(connection: Connection, source_id: int, import_id: int, rows: EncodedRows) -> PageCounts:
    """Import encoded rows, except for the import's own counts, cursor and verdicts (``write_verdicts``)."""
    stage(connection, rows)
    given = {"source": source_id, "import": import_id, "latest_wins": rows.latest_wins}
    for statement in (BATCHES, JUDGED, STANDING):
        connection.execute(statement)
    made = connection.execute(MAKE, given).rowcount
    connection.execute(REJECT)
    # Where every row that is to be taken was made a listing, nothing stood here before.
    if made < rows.accepted:
        for statement in (FIND, MET, HOLD_ALL_TURNS, HOLD):
            connection.execute(statement, given)
    connection.execute(REPEATED)
    for turn in range(rows.turns + 1):
        if made < rows.accepted:
            _renew(connection, turn)
        _add_jobs(connection, turn)
    connection.execute(ILLUSTRATE)
    add_categories(connection, source_id, rows.seller_categories)
    connection.execute(TRACE_MADE)
    connection.execute(TRACE)
    counts = connection.execute(COUNT).all()
    found = Counter({Verdict(row.verdict): row.number for row in counts})
    if found.total() != rows.last - rows.first + 1:
        raise Conflict("a listing was removed while a page of the import was taken in; it goes on from there")
    wake_relay(connection)
    return PageCounts(found, sum(row.bare for row in counts if row.verdict != Verdict.REJECTED))


def write_verdicts(connection: Connection, import_id: int) -> None:
    """Write the verdicts of the page that was just taken in."""
    connection.execute(WRITE_VERDICTS, {"import": import_id})


def _renew(connection: Connection, turn: int) -> None:
    """Give the listings that are there already what their rows of this turn say."""
    if connection.execute(JUDGE, {"turn": turn}).scalar_one():
        for statement in (SUPERSEDE, REVISE, RENEW):
            connection.execute(statement, {"turn": turn})


def _add_jobs(connection: Connection, turn: int) -> None:
    queue = queue_of(JobKind.CATEGORISE, Priority.IMPORT)
    connection.execute(ADD_JOBS, {"turn": turn, "priority": Priority.IMPORT, "queue": queue})
