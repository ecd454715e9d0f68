"""Open an import: a new one, the one that runs, or the interrupted one, which continues where it stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import ImportRun, ImportStatus
from pipeline.domain.product_source import ProductQuery
from pipeline.domain.verdict import Verdict

# First half of the key of the advisory lock that whoever is at an import holds; the second half is the import's id.
IMPORT_LOCK = 0x494D50
# How long the session of a process that was just killed may take to end, in milliseconds.
PATIENCE = 5_000
INTERRUPTED = "interrupted"

FOUND = """
    SELECT id, source_id, status, query, new, changed, unchanged, rejected, without_photo, total,
           coalesce(complete, false) AS complete, cursor,
           coalesce(CAST(cursor ->> 'row' AS integer), 0) AS row,
           (SELECT count(*) FROM import_rows r WHERE r.import_id = imports.id) AS kept
    FROM imports
"""
# A file's rows are as old as the file, and do not overtake what came into the source after it.
LAST_FILE = text(
    f"""
    {FOUND} WHERE id = (SELECT max(id) FROM imports WHERE source_id = :source) AND fingerprint = :fingerprint
    AND status <> 'done'
    """
)
# A page of a database is read when it is taken in; but what was read days ago is worth asking for again.
LAST_QUERY = text(
    f"""
    {FOUND} WHERE id = (SELECT max(id) FROM imports WHERE source_id = :source AND fingerprint = :fingerprint)
    AND status <> 'done' AND coalesce(CAST(cursor ->> 'at' AS timestamptz), started_at) > now() - interval '2 days'
    """
)
BY_ID = text(f"{FOUND} WHERE id = :id")
# The open jobs of this kind are found by an index that has open jobs only.
CARRIED = f"""
    EXISTS (SELECT 1 FROM jobs WHERE kind = 'collect' AND listing_id IS NULL AND state IN {SQL_OPEN_STATES}
            AND (payload ->> 'import_id')::bigint = imports.id)
"""
REOPEN = text(
    """
    UPDATE imports SET status = 'running', ended_at = NULL, note = NULL,
           cursor = CASE WHEN status = 'running' THEN cursor ELSE cursor - 'waits_since' END
    WHERE id = :id
    """
)
# The first moment stays, until a page comes.
WAITS = text(
    """
    UPDATE imports SET cursor = jsonb_build_object('waits_since', now()) || cursor || jsonb_build_object('at', now())
    WHERE id = :id RETURNING CAST(cursor ->> 'waits_since' AS timestamptz) < now() - make_interval(secs => :seconds)
    """
)
# Those that a job will go on with are not dead, whether or not somebody is at them.
RUNNING = text(f"SELECT id FROM imports WHERE source_id = :source AND status = 'running' AND NOT {CARRIED}")
GIVE_UP = text("UPDATE imports SET status = 'failed', ended_at = now(), note = :note WHERE id = :id")
BEGIN = text(
    """
    INSERT INTO imports (source_id, origin, status, total, fingerprint, query, collection_id, unique_key)
    VALUES (:source, :origin, 'running', :total, :fingerprint, CAST(:query AS jsonb),
            (SELECT id FROM collections WHERE source_id = :source AND fingerprint = :fingerprint FOR KEY SHARE), :key)
    ON CONFLICT (unique_key) DO NOTHING RETURNING id
    """
)
# Where the last run of the same that came to its end says the next one begins: only what changed since is asked for.
CONTINUE = text(
    """
    UPDATE imports SET cursor = jsonb_build_object('following', last.place)
    FROM (SELECT cursor -> 'next_time' AS place FROM imports WHERE source_id = :source AND fingerprint = :fingerprint
          AND status = 'done' AND id < :id ORDER BY id DESC LIMIT 1) last
    WHERE id = :id AND last.place IS NOT NULL
    """
)
LOCK = {"class": IMPORT_LOCK}


@dataclass(frozen=True, slots=True)
class Errand:
    """What a run of a product database is to do: its place, the database, the query, and whose listings they become."""

    run: ImportRun
    source_id: int
    database: str
    query: ProductQuery
    done: bool


@contextmanager
def open_import(
    engine: Engine,
    source_id: int,
    origin: str,
    total: int | None,
    fingerprint: str,
    afresh: bool = False,
) -> Iterator[ImportRun]:
    """The import of the file that ``fingerprint`` tells, as ``open_wanted`` opens it."""
    wanted = {"source": source_id, "origin": origin, "total": total, "fingerprint": fingerprint}
    with open_wanted(engine, wanted | {"query": None, "key": None}, afresh) as run:
        yield run


@contextmanager
def open_wanted(engine: Engine, wanted: Mapping[str, Any], afresh: bool = False) -> Iterator[ImportRun]:
    """The import of the same as ``wanted``, held until the block ends so that no other process is at it too.

    ``wanted`` are the parameters of BEGIN. An import that was of the same and did not end well goes on, unless
    ``afresh``: of a file, if it is the last one into the source; of a query, if it stopped in the last two days.
    Anything else starts a new one; where its source told the last one so, it begins behind what that had, unless
    ``afresh``. Raises Conflict when another process is at it.
    """
    with _session(engine) as connection:
        with connection.begin():
            run = _open(connection, wanted, afresh)
        yield run


@contextmanager
def resume_import(engine: Engine, import_id: int) -> Iterator[Errand]:
    """The run of a product database with this id, held until the block ends; one that failed runs again.

    Raises NotFound when there is none, and Conflict when another process is at it.
    """
    with _session(engine) as connection:
        with connection.begin():
            seize(connection, import_id)
            found = connection.execute(BY_ID, {"id": import_id}).first()
            if found is None or found.query is None:
                raise NotFound(f"there is no import {import_id} from a product database")
            done = found.status == ImportStatus.DONE
            if not done:
                connection.execute(REOPEN, {"id": import_id})
        query = ProductQuery.of_json(found.query)
        yield Errand(_run(found), found.source_id, found.query["database"], query, done)


def begin_import(connection: Connection, wanted: Mapping[str, Any], afresh: bool = False) -> int | None:
    """Insert an import and give up those into its source that nobody is at; None when its unique key is taken.

    ``wanted`` are the parameters of BEGIN; ``afresh`` begins with what the last run of the same had already. The
    caller holds the source's row.
    """
    for running in connection.scalars(RUNNING, {"source": wanted["source"]}).all():
        if is_free(connection, running):
            connection.execute(GIVE_UP, {"id": running, "note": INTERRUPTED})
    made = connection.scalar(BEGIN, dict(wanted))
    if made is not None and not afresh:
        connection.execute(CONTINUE, {"id": made, **wanted})
    return None if made is None else int(made)


def waits_in_vain(connection: Connection, import_id: int, seconds: float) -> bool:
    """Write that a run must wait for its source; whether it has done nothing else for so long."""
    return bool(connection.scalar(WAITS, {"id": import_id, "seconds": seconds}))


def hold_source(connection: Connection, source_id: int) -> None:
    """One at a time chooses which import of a source goes on."""
    connection.execute(text("SELECT id FROM sources WHERE id = :id FOR NO KEY UPDATE"), {"id": source_id})


def is_free(connection: Connection, import_id: int) -> bool:
    """Whether nobody is at an import; it is held until the transaction ends."""
    free = connection.scalar(text("SELECT pg_try_advisory_xact_lock(:class, :id)"), LOCK | {"id": import_id})
    return bool(free)


@contextmanager
def _session(engine: Engine) -> Iterator[Connection]:
    connection = engine.connect()
    try:
        yield connection
    finally:
        # Now, where that can be: a session that is told to end keeps its locks for a moment longer.
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
        # Not back to the pool: the session must end, and with it the lock.
        connection.invalidate()
        connection.close()


def _open(connection: Connection, wanted: Mapping[str, Any], afresh: bool) -> ImportRun:
    hold_source(connection, wanted["source"])
    of_the_same = LAST_FILE if wanted["query"] is None else LAST_QUERY
    last = None if afresh else connection.execute(of_the_same, dict(wanted)).first()
    if last is not None:
        seize(connection, last.id)
        last = connection.execute(BY_ID, {"id": last.id}).one()
        if last.status != ImportStatus.DONE and last.kept == last.row:  # else its verdicts were purged
            connection.execute(REOPEN, {"id": last.id})
            return _run(last)
    made = begin_import(connection, wanted, afresh)
    assert made is not None
    connection.execute(text("SELECT pg_advisory_lock(:class, :id)"), LOCK | {"id": made})
    return _run(connection.execute(BY_ID, {"id": made}).one())


def seize(connection: Connection, import_id: int) -> None:
    """Be the one at an import, until the session ends; Conflict when another process is.

    What a process that died a moment ago had already asked the database to commit is waited for.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {PATIENCE}"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:class, :id)"), LOCK | {"id": import_id})
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != "55P03":  # lock_not_available
            raise
        raise Conflict(f"this very import runs right now, as import {import_id}; wait for it") from error
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    connection.execute(text("SELECT id FROM imports WHERE id = :id FOR UPDATE"), {"id": import_id})


def _run(row: Row[Any]) -> ImportRun:
    counts = Counter({verdict: getattr(row, verdict.value) for verdict in Verdict})
    place = row.cursor
    return ImportRun(
        row.id,
        row.row,
        counts,
        row.without_photo,
        place.get("following"),
        bool(place.get("ended")),
        row.complete,
        place.get("share"),
        row.total,
    )


SAME = text(
    f"""
    SELECT id, {CARRIED} AS carried FROM imports WHERE source_id = :source AND fingerprint = :fingerprint
    AND (status = 'running' OR {CARRIED}) ORDER BY id DESC
    """
)


def wanted_of(source_id: int, database: str, query: ProductQuery, key: str | None = None) -> dict[str, Any]:
    """What ``begin_import`` is to write for a query to a database; ``key`` is unique among imports."""
    return {
        "source": source_id,
        "origin": f"{database}: {query.kind} {query.value}".strip(),
        "total": None,
        "fingerprint": query.fingerprint(database),
        "query": json.dumps({"database": database, **query.as_json()}),
        "key": key,
    }


@contextmanager
def open_collecting(
    engine: Engine, source_id: int, database: str, query: ProductQuery, afresh: bool = False
) -> Iterator[ImportRun]:
    """The import of a query to a database into a source, as ``open_wanted`` opens it."""
    with open_wanted(engine, wanted_of(source_id, database, query), afresh) as run:
        yield run


def in_hand(connection: Connection, wanted: dict[str, Any]) -> int | None:
    """The import of the same that a process is at, or that a job will go on with; None when there is none.

    The caller holds the source's row.
    """
    for row in connection.execute(SAME, wanted).all():
        if row.carried or not is_free(connection, row.id):
            return int(row.id)
    return None


def begin_or_go_on(connection: Connection, wanted: dict[str, Any], afresh: bool) -> tuple[int, bool]:
    """The import to work on, and whether somebody must be told to: False when it is in hand already.

    One of the same that stopped within the last two days goes on, unless ``afresh``. The job that does it is the
    caller's to add, in the same transaction.
    """
    hold_source(connection, wanted["source"])
    running = in_hand(connection, wanted)
    if running is not None:
        return running, False
    last = None if afresh else connection.execute(LAST_QUERY, wanted).first()
    if last is not None and last.kept == last.row:  # else its verdicts were purged
        connection.execute(REOPEN, {"id": last.id})
        return int(last.id), True
    made = begin_import(connection, wanted, afresh)
    assert made is not None  # without a key nothing stands in its way
    return made, True
