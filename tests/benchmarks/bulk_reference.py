"""The references of bulk imports: COPY of the same rows and nothing else, and inserts of one row at a time."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2
from sqlalchemy import text
from sqlalchemy.engine import make_url

from infra.sources.product_normalisation import normalise
from infra.store.database import open_engine
from infra.store.unit_of_work import units_of_work
from pipeline.domain.listing import Content
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import Provenance, SourceProduct
from pipeline.steps.collect import rows_of_products
from pipeline.steps.imports import import_page
from pipeline.steps.source_registration import find_or_add_source
from tests.benchmarks.bulk_export import product

INSERT_LISTING = "INSERT INTO listings (source_id, external_id, status) VALUES (%s, %s, 'pending') RETURNING id"
INSERT_REVISION = (
    "INSERT INTO revisions (listing_id, number, fingerprint, name, description, attributes) "
    "VALUES (%s, 1, %s, %s, %s, %s) RETURNING id"
)
UPDATE_LISTING = "UPDATE listings SET current_revision_id = %s, search = %s WHERE id = %s"
INSERT_IMAGE = "INSERT INTO images (revision_id, position, reference, status) VALUES (%s, 0, %s, 'pending')"
INSERT_JOB = (
    "INSERT INTO jobs (kind, priority, queue, listing_id, revision_id) "
    "VALUES ('categorise', 'import', 'categorise', %s, %s)"
)
INSERT_PROVENANCE = (
    "INSERT INTO provenances (listing_id, database, address, categories, modified_at) VALUES (%s, %s, %s, %s, %s)"
)
INSERT_VERDICT = (
    "INSERT INTO import_rows (import_id, number, external_id, listing_id, verdict) VALUES (%s, %s, %s, %s, 'new')"
)
INSERT_IMPORT = "INSERT INTO imports (source_id, origin, status) VALUES (%s, 'row by row', 'running') RETURNING id"
INSERT_SOURCE = "INSERT INTO sources (name, taxonomy_id) SELECT %s, taxonomy_id FROM sources LIMIT 1 RETURNING id"
COPIED = ("listings", "revisions")


def copy(database_url: str, most: int) -> dict[str, float]:
    """Rows per second of COPY, listings with their revisions, into tables without indexes and with all of them."""
    connection = _connect(database_url)
    streams: dict[str, bytes] = {}
    with connection, connection.cursor() as cursor:
        for table in COPIED:
            written = io.BytesIO()
            cursor.copy_expert(f"COPY (SELECT * FROM {table} ORDER BY id LIMIT {most}) TO STDOUT", written)
            streams[table] = written.getvalue()
    rows = streams["listings"].count(b"\n")
    rates = {}
    for name, like in (("bare", ""), ("with_indexes", "INCLUDING ALL")):
        with connection, connection.cursor() as cursor:
            for table in COPIED:
                cursor.execute(f"CREATE TABLE copied_{table} (LIKE {table} {like})")
        begun = time.monotonic()
        with connection, connection.cursor() as cursor:
            for table in COPIED:
                cursor.copy_expert(f"COPY copied_{table} FROM STDIN", io.BytesIO(streams[table]))
        rates[name] = rows / (time.monotonic() - begun)
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE copied_listings, copied_revisions")
    connection.close()
    return rates


def row_by_row(database_url: str, sample: int, first: int) -> dict[str, float]:
    """Rows per second of the inserts that a new product needs: with a commit for each product, and one for all.

    ``step`` imports pages of one product by our own use case. Products are normalised before the clock starts; they are
    numbered from ``first``, so that all are new.
    """
    drawn = [normalise(product(first + number), DATABASES["openfoodfacts"]) for number in range(sample)]
    good = [(p.code, p.content, p.provenance) for p in drawn if p.code and p.content and p.provenance]
    rates = {"step": _step(database_url, drawn[: sample // 4], first)}
    for name, each in ((f"a_commit_each {first}", True), (f"one_commit {first}", False)):
        connection = _connect(database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(INSERT_SOURCE, (name,))
            source = _id(cursor)
            cursor.execute(INSERT_IMPORT, (source,))
            import_id = _id(cursor)
        begun = time.monotonic()
        with connection.cursor() as cursor:
            _insert(cursor, source, import_id, good, connection.commit if each else lambda: None)
        connection.commit()
        rates[name.split()[0]] = len(good) / (time.monotonic() - begun)
        connection.close()
    return rates


def _step(database_url: str, products: Sequence[SourceProduct], first: int) -> float:
    engine = open_engine(database_url)
    units = units_of_work(engine)
    source = find_or_add_source(units, f"step {first}")
    with engine.begin() as connection:
        statement = text(INSERT_IMPORT.replace("%s", ":source"))
        import_id = int(connection.execute(statement, {"source": source.id}).scalar_one())
    begun = time.monotonic()
    for row in rows_of_products(products, 0):
        import_page(units, source.id, import_id, [row])
    rate = len(products) / (time.monotonic() - begun)
    engine.dispose()
    return rate


def _insert(
    cursor: Any,
    source: int,
    import_id: int,
    good: Sequence[tuple[str, Content, Provenance]],
    done: Callable[[], None],
) -> None:
    for number, (code, content, provenance) in enumerate(good, 1):
        cursor.execute(INSERT_LISTING, (source, code))
        listing = _id(cursor)
        attributes = json.dumps(dict(content.attributes))
        cursor.execute(INSERT_REVISION, (listing, content.fingerprint(), content.name, content.description, attributes))
        revision = _id(cursor)
        cursor.execute(UPDATE_LISTING, (revision, f"{code} {content.name} {content.description}"[:2000], listing))
        for image in content.images:
            cursor.execute(INSERT_IMAGE, (revision, image))
        cursor.execute(INSERT_JOB, (listing, revision))
        categories = json.dumps(provenance.categories)
        kept = (listing, provenance.source, provenance.address, categories, provenance.modified_at)
        cursor.execute(INSERT_PROVENANCE, kept)
        cursor.execute(INSERT_VERDICT, (import_id, number, code, listing))
        done()


def _id(cursor: Any) -> int:
    row = cursor.fetchone()
    return int(row[0])


def _connect(database_url: str) -> Any:
    url = make_url(database_url).set(drivername="postgresql")
    return psycopg2.connect(url.render_as_string(hide_password=False))
