"""A page of rows on its way into Postgres: COPY into a table of this transaction alone."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence

import orjson
import psycopg2.extensions
from sqlalchemy import Connection, text

from pipeline.domain.import_run import EncodedRows, IncomingRow

# Texts of arrived rows stay as they came. Of the good rows of the page that have the same id, ``turn`` counts those
# that are taken one after the other, from 0; those that are not taken have the number of the first in ``same_as``.
CREATE = text(
    """
    CREATE TEMPORARY TABLE arrived (
        number integer, turn integer, same_as integer, external_id text, problem text, note text, fingerprint text,
        name text, description text, attributes jsonb, seller_category text, images jsonb, database text, address text,
        categories jsonb, modified_at timestamptz
    ) ON COMMIT DROP
    """
)
NULL = "\x01"
COPY = f"COPY arrived FROM STDIN WITH (FORMAT text, NULL E'\\x{ord(NULL):02x}', ENCODING 'UTF8')"
_BETWEEN = "\x02"
# What COPY would take for something else, and NUL and half characters, which Postgres does not hold.
_SPECIAL = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", NULL: "\\001", _BETWEEN: "\\002", "\x00": None}
)
# json.dumps makes an encoder for each call.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\x00", ""), (_BETWEEN, "\t"))


def encode_rows(rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
    """Rows as COPY reads them; without ``latest_wins`` only the first good row of an id is to be taken."""
    lines, turns, taken = _lines(rows, latest_wins)
    categories = frozenset(row.content.seller_category for row in rows if row.content is not None)
    content = "".join(lines).encode("utf-8", "replace")
    return EncodedRows(rows[0].number, rows[-1].number, content, latest_wins, turns, taken, categories)


def stage(connection: Connection, rows: EncodedRows) -> None:
    """Put the rows into the table ``arrived``, which goes when the transaction ends."""
    connection.execute(CREATE)
    session = connection.connection.driver_connection
    assert isinstance(session, psycopg2.extensions.connection)
    with session.cursor() as cursor:
        cursor.copy_expert(COPY, io.BytesIO(rows.content))


def _lines(rows: Iterable[IncomingRow], latest_wins: bool) -> tuple[list[str], int, int]:
    lines: list[str] = []
    turns = taken = 0
    met: dict[str, tuple[int, int]] = {}
    for row in rows:
        problem, turn, same_as = row.problem, 0, None
        if row.content is None or row.external_id is None:
            problem = problem or "no id"
        else:
            first, turn = met.get(row.external_id, (row.number, -1))
            met[row.external_id] = (first, turn := turn + 1)
            if turn and not latest_wins:
                same_as, turn = first, 0
            turns = max(turns, turn)
            taken += problem is None and same_as is None
        lines.append(_line(row, problem, turn, same_as))
    return lines, turns, taken


def _line(row: IncomingRow, problem: str | None, turn: int, same_as: int | None) -> str:
    content, origin = row.content, row.provenance
    earlier = None if same_as is None else str(same_as)
    fields: list[str | None] = [str(row.number), str(turn), earlier, row.external_id, problem, row.note]
    if problem is not None or same_as is not None or content is None:
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
        if origin is None:
            fields += [None] * 4
        else:
            modified = origin.modified_at.isoformat() if origin.modified_at else None
            fields += (origin.source, origin.address, _json(origin.categories), modified)
    return _tabbed(fields)


def _tabbed(fields: Sequence[str | None]) -> str:
    line = _BETWEEN.join([NULL if field is None else field for field in fields])
    if line.count(_BETWEEN) == len(fields) - 1 and line.count(NULL) == fields.count(None):
        # Neither is in a field: the whole line is escaped at once.
        for special, escaped in _ESCAPES:
            if special in line:
                line = line.replace(special, escaped)
        return line + "\n"
    return "\t".join([NULL if field is None else field.translate(_SPECIAL) for field in fields]) + "\n"


def _json(value: object) -> str:
    try:
        written = orjson.dumps(value).decode()
    except TypeError:  # half characters, which the usual writer lets pass
        written = _ENCODE(value)
    # jsonb refuses NUL, which is an escape here.
    return _json(_without_nul(value)) if "\\u0000" in written and _without_nul(value) != value else written


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(part) for name, part in value.items()}
    return [_without_nul(part) for part in value] if isinstance(value, list | tuple) else value
