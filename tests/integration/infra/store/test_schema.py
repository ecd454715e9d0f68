"""Models and migrations agree, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Engine, Enum, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from infra.store.database import alembic_config, downgrade, metadata, upgrade

CHECKS = text(
    "SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint "
    "WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
)
LABELS = text(
    "SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels "
    "FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname"
)
LEFT = text(
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%' "
    "UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' "
    "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS "
    "(SELECT 1 FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')"
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def test_a_migrated_database_is_what_the_models_say(connection: Connection) -> None:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, metadata()) == []


def test_check_constraints_are_those_of_the_models(connection: Connection) -> None:
    """Alembic does not compare these."""
    declared = {
        f"{table.name}.ck_{table.name}_{constraint.name}".replace(
            f"ck_{table.name}_ck_{table.name}_", f"ck_{table.name}_"
        )
        for table in metadata().tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert set(connection.scalars(CHECKS)) == declared


def test_enum_labels_are_the_words_of_the_domain_in_their_order(connection: Connection) -> None:
    stored = {row.typname: list(row.labels) for row in connection.execute(LABELS)}
    declared = {
        column.type.name: list(column.type.enums)
        for table in metadata().tables.values()
        for column in table.columns
        if isinstance(column.type, Enum)
    }
    assert stored == declared


# Nothing deletes a model version, and embeddings are looked up by revision.
WITHOUT_INDEX = {("embeddings", "model_id")}


def test_every_foreign_key_has_an_index_to_find_its_rows_by(connection: Connection) -> None:
    """Without one, each delete of a referenced row would read the whole referencing table."""
    inspector = inspect(connection)
    bare = []
    for table in inspector.get_table_names():
        leading = [tuple(i["column_names"]) for i in inspector.get_indexes(table)]
        leading += [tuple(u["column_names"]) for u in inspector.get_unique_constraints(table)]
        leading.append(tuple(inspector.get_pk_constraint(table)["constrained_columns"]))
        for key in inspector.get_foreign_keys(table):
            columns = key["constrained_columns"]
            if not any(set(columns) & set(index[:1]) for index in leading):
                bare += [(table, column) for column in columns]
    assert set(bare) == WITHOUT_INDEX


def _left(url: str) -> list[str]:
    engine: Engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.scalars(LEFT))


def test_down_to_the_base_leaves_nothing_behind_and_up_again_works(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    full = _left(empty_database_url)
    assert full
    downgrade(empty_database_url, "base")
    assert _left(empty_database_url) == []
    upgrade(empty_database_url)
    assert sorted(_left(empty_database_url)) == sorted(full)


def test_every_migration_goes_up_and_down_alone(empty_database_url: str) -> None:
    script = ScriptDirectory.from_config(alembic_config(empty_database_url))
    revisions = [step.revision for step in reversed(list(script.walk_revisions()))]
    for former, revision in zip(["base", *revisions], revisions, strict=False):
        upgrade(empty_database_url, revision)
        downgrade(empty_database_url, former)
        upgrade(empty_database_url, revision)
    assert script.get_heads() == [revisions[-1]]


def test_going_down_takes_the_jobs_of_studies_along(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        for kind in ("purge", "study"):
            connection.execute(
                text(
                    "INSERT INTO jobs (kind, priority, queue) VALUES (CAST(:kind AS job_kind), 'pipeline', 'training')"
                ),
                {"kind": kind},
            )
    downgrade(empty_database_url, "0006")
    with engine.connect() as connection:
        assert list(connection.scalars(text("SELECT kind FROM jobs"))) == ["purge"]


def test_going_down_ends_studies_that_compare(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO taxonomies (name) VALUES ('shop')"))
        insert = text("INSERT INTO studies (taxonomy_id, stage, plan) VALUES (1, 'compare', CAST(:plan AS jsonb))")
        connection.execute(insert, {"plan": json.dumps({"clusterings": ["hdbscan"], "seeds": [0]})})
    downgrade(empty_database_url, "0012")
    with engine.connect() as connection:
        row = connection.execute(text("SELECT status, stage, error, plan FROM studies")).one()
    assert (row.status, row.stage, row.plan) == ("failed", "combine", {"seeds": [0]})
    assert "start another study" in row.error
