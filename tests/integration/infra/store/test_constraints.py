"""The database itself refuses what must not be, whoever writes it."""

from __future__ import annotations

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

# One small record that breaks nothing; ids are fixed so that the statements below can name them.
RECORD = """
INSERT INTO taxonomies (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'one'), (2, 'two');
INSERT INTO sources (id, name, taxonomy_id) OVERRIDING SYSTEM VALUE VALUES (1, 'shop', 1);
INSERT INTO categories (taxonomy_id, path, level) VALUES (1, 'Home', 1);
INSERT INTO model_versions (id, taxonomy_id, number, status, manifest) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 1, 'active', '{}'), (2, 2, 1, 'candidate', '{}');
INSERT INTO listings (id, source_id, external_id, status) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 'a', 'pending'), (2, 1, 'b', 'pending');
INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 1, 'f', 'n', 'd', '{}'), (2, 2, 1, 'f', 'n', 'd', '{}');
INSERT INTO images (revision_id, position, reference, status) VALUES (1, 0, 'uploads/1', 'pending');
INSERT INTO jobs (id, kind, priority, queue, listing_id, revision_id, unique_key) OVERRIDING SYSTEM VALUE
    VALUES (1, 'categorise', 'import', 'categorise', 1, 1, 'once');
INSERT INTO attempts (job_id, attempt, worker) VALUES (1, 1, 'w');
INSERT INTO dead_letters (job_id, reason, history) VALUES (1, 'r', '[]');
INSERT INTO predictions (revision_id, model_id, modality, ranked) VALUES (1, 1, 'text', '[]');
INSERT INTO decisions (revision_id, model_id, status, category, confidence, reason)
    VALUES (1, 1, 'assigned', 'Home', 0.9, 'r');
INSERT INTO decisions (revision_id, model_id, status, reason) VALUES (1, NULL, 'abstained', 'no model yet');
INSERT INTO embeddings (revision_id, model_id, extractor, vector) VALUES (1, 1, 'tfidf', '[1, 2]');
INSERT INTO imports (id, source_id, origin, status, unique_key) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 'f.csv', 'running', 'once');
INSERT INTO import_rows (import_id, number, verdict) VALUES (1, 1, 'new');
INSERT INTO studies (id, taxonomy_id, plan, unique_key) OVERRIDING SYSTEM VALUE VALUES (1, 1, '{}', 'once');
INSERT INTO trials (study_id, extractor, modality, protocol) VALUES (1, 'tfidf', 'text', 'A');
INSERT INTO category_rules (source_id, source_category) VALUES (1, 'en:champagnes');
INSERT INTO host_health (host) VALUES ('shop.example');
INSERT INTO api_keys (id, name, hash, scopes) OVERRIDING SYSTEM VALUE VALUES (1, 'k', 'h', ARRAY['read']);
INSERT INTO idempotency_keys (api_key_id, key, body_hash) VALUES (1, 'once', 'b');
INSERT INTO events (id, kind, payload) OVERRIDING SYSTEM VALUE VALUES (1, 'k', '{}');
INSERT INTO webhooks (id, api_key_id, url, secret, kinds) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 'https://shop.example', 's', ARRAY['k']);
INSERT INTO deliveries (webhook_id, event_id) VALUES (1, 1);
INSERT INTO workers (name, role, queue, slots) VALUES ('w', 'serve', 'categorise', 1)
"""
JOB = "INSERT INTO jobs (kind, priority, queue, listing_id, revision_id"

CHECKS = {
    "ck_taxonomies_level": "UPDATE taxonomies SET level = 0",
    "ck_categories_level": "UPDATE categories SET level = 0",
    "ck_listings_withdrawn": "UPDATE listings SET status = 'withdrawn' WHERE id = 1",
    "ck_listings_confidence": "UPDATE listings SET confidence = 1.5 WHERE id = 1",
    "ck_revisions_number": "UPDATE revisions SET number = 0 WHERE id = 1",
    "ck_images_stored": "UPDATE images SET status = 'stored'",
    "ck_jobs_deadline": "UPDATE jobs SET state = 'sent'",
    "ck_jobs_revision": "UPDATE jobs SET revision_id = NULL",
    "ck_jobs_progress": "UPDATE jobs SET progress = 2",
    "ck_workers_slots": "UPDATE workers SET slots = 0",
    "ck_decisions_category": "UPDATE decisions SET category = NULL WHERE model_id = 1",
    "ck_decisions_model": "UPDATE decisions SET model_id = NULL, revision_id = 2 WHERE model_id = 1",
    "ck_decisions_confidence": "UPDATE decisions SET confidence = -0.1",
    "ck_imports_ended": "UPDATE imports SET status = 'done'",
    "ck_import_rows_reason": "UPDATE import_rows SET verdict = 'rejected'",
    "ck_studies_ended": "UPDATE studies SET ended_at = now()",
    "ck_studies_error": "UPDATE studies SET error = 'but it runs'",
    "ck_studies_verdict": "UPDATE studies SET verdict = 'feasible'",
    "ck_studies_level": "UPDATE studies SET level = 0",
    "ck_trials_ended": "UPDATE trials SET ended_at = now()",
    "ck_trials_reason": "UPDATE trials SET status = 'failed', ended_at = now()",
    "ck_trials_figures": "UPDATE trials SET status = 'done', ended_at = now()",
    "ck_category_rules_decided": "UPDATE category_rules SET decided_by = 'somebody'",
    "ck_category_rules_score": "UPDATE category_rules SET score = 2",
    "ck_host_health_failures": "UPDATE host_health SET failures = -1",
    "ck_api_keys_scopes": "UPDATE api_keys SET scopes = ARRAY['read', 'everything']",
}
UNIQUE = {
    "uq_taxonomies_name": "UPDATE taxonomies SET name = 'one'",
    "uq_sources_name": "INSERT INTO sources (name, taxonomy_id) VALUES ('shop', 2)",
    "uq_categories_taxonomy_id_path": "INSERT INTO categories (taxonomy_id, path, level) VALUES (1, 'Home', 1)",
    "uq_model_versions_taxonomy_id_number": "INSERT INTO model_versions (taxonomy_id, number, status, manifest) "
    "VALUES (1, 1, 'candidate', '{}')",
    "uq_model_versions_active": "INSERT INTO model_versions (taxonomy_id, number, status, manifest) "
    "VALUES (1, 2, 'active', '{}')",
    "uq_listings_source_id_external_id": "UPDATE listings SET external_id = 'a'",
    "uq_revisions_listing_id_number": "UPDATE revisions SET listing_id = 1",
    "uq_images_revision_id_position": "INSERT INTO images (revision_id, position, reference, status) "
    "VALUES (1, 0, 'x', 'pending')",
    "uq_jobs_open_revision": f"{JOB}) VALUES ('categorise', 'backfill', 'categorise', 1, 1)",
    "uq_jobs_unique_key": f"{JOB}, unique_key) VALUES ('categorise', 'import', 'categorise', 2, 2, 'once')",
    "pk_attempts": "INSERT INTO attempts (job_id, attempt, worker) VALUES (1, 1, 'other')",
    "uq_dead_letters_open": "INSERT INTO dead_letters (job_id, reason, history) VALUES (1, 'again', '[]')",
    "uq_predictions_revision_id_model_id_modality": "INSERT INTO predictions (revision_id, model_id, modality, ranked) "
    "VALUES (1, 1, 'text', '[]')",
    "uq_decisions_revision_id_model_id": "INSERT INTO decisions (revision_id, status, reason) "
    "VALUES (1, 'abstained', 'no model, twice')",
    "pk_embeddings": "INSERT INTO embeddings (revision_id, model_id, extractor, vector) VALUES (1, 1, 'tfidf', '[1]')",
    "uq_imports_unique_key": "INSERT INTO imports (source_id, origin, status, unique_key) "
    "VALUES (1, 'f', 'running', 'once')",
    "pk_import_rows": "INSERT INTO import_rows (import_id, number, verdict) VALUES (1, 1, 'new')",
    "uq_studies_unique_key": "INSERT INTO studies (taxonomy_id, plan, unique_key) VALUES (2, '{}', 'once')",
    "uq_studies_running": "INSERT INTO studies (taxonomy_id, plan) VALUES (1, '{}')",
    "uq_trials_study_id_extractor_protocol": "INSERT INTO trials (study_id, extractor, modality, protocol) "
    "VALUES (1, 'tfidf', 'text', 'A')",
    "uq_api_keys_hash": "INSERT INTO api_keys (name, hash, scopes) VALUES ('other', 'h', ARRAY['read'])",
    "pk_idempotency_keys": "INSERT INTO idempotency_keys (api_key_id, key, body_hash) VALUES (1, 'once', 'other')",
    "uq_deliveries_webhook_event": "INSERT INTO deliveries (webhook_id, event_id) VALUES (1, 1)",
    "pk_workers": "INSERT INTO workers (name, role, queue, slots) VALUES ('w', 'train', 'training', 1)",
}
FOREIGN = {
    "fk_taxonomies_active_model": "UPDATE taxonomies SET active_model_id = 2 WHERE id = 1",
    "fk_listings_current_revision": "UPDATE listings SET current_revision_id = 2 WHERE id = 1",
    "fk_sources_taxonomy_id": "UPDATE sources SET taxonomy_id = 99",
    "fk_listings_source_id": "UPDATE listings SET source_id = 99",
    "fk_revisions_listing_id": "UPDATE revisions SET listing_id = 99 WHERE id = 2",
    "fk_images_revision_id": "UPDATE images SET revision_id = 99",
    "fk_jobs_revision": "UPDATE jobs SET listing_id = 2",
    "fk_attempts_job_id": "UPDATE attempts SET job_id = 99",
    "fk_dead_letters_job_id": "UPDATE dead_letters SET job_id = 99",
    "fk_predictions_revision_id": "UPDATE predictions SET revision_id = 99",
    "fk_predictions_model_id": "UPDATE predictions SET model_id = 99",
    "fk_decisions_model_id": "UPDATE decisions SET model_id = 99 WHERE model_id = 1",
    "fk_embeddings_model_id": "UPDATE embeddings SET model_id = 99",
    "fk_imports_source_id": "UPDATE imports SET source_id = 99",
    "fk_studies_taxonomy_id": "UPDATE studies SET taxonomy_id = 99",
    "fk_trials_study_id": "UPDATE trials SET study_id = 99",
    "fk_idempotency_keys_api_key_id": "UPDATE idempotency_keys SET api_key_id = 99",
    "fk_api_key_sources_source_id": "INSERT INTO api_key_sources (api_key_id, source_id) VALUES (1, 99)",
    "fk_deliveries_event_id": "UPDATE deliveries SET event_id = 99",
}
DECLARED_CHECKS = text(
    "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
)


def write_record(connection: Connection) -> None:
    """Write the record; rows added later get ids that it does not use."""
    connection.execute(text(RECORD))
    for table in ("sources", "categories", "model_versions", "listings", "jobs", "imports", "studies", "api_keys"):
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH 1000"))


def refused(connection: Connection, statement: str) -> str | None:
    """The name of the rule that refuses a statement, or None; nothing it did stays."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(text(statement))
    except IntegrityError as error:
        return str(error.orig.diag.constraint_name) if isinstance(error.orig, psycopg2.Error) else ""
    finally:
        savepoint.rollback()
    return None


@pytest.mark.parametrize("rules", [CHECKS, UNIQUE, FOREIGN], ids=["check", "unique", "foreign key"])
def test_each_rule_refuses_its_violation(engine: Engine, rules: dict[str, str]) -> None:
    with engine.connect() as connection:
        write_record(connection)
        seen = {rule: refused(connection, statement) for rule, statement in rules.items()}
    wrong = {rule: (rules[rule], found) for rule, found in seen.items() if found != rule}
    assert wrong == {}


def test_every_check_constraint_is_violated_above(engine: Engine) -> None:
    with engine.connect() as connection:
        assert set(connection.scalars(DECLARED_CHECKS)) == set(CHECKS)


def test_a_finished_job_leaves_room_for_another_of_the_same_revision(engine: Engine) -> None:
    with engine.connect() as connection:
        write_record(connection)
        connection.execute(text("UPDATE jobs SET state = 'done', ended_at = now()"))
        assert refused(connection, UNIQUE["uq_jobs_open_revision"]) is None


@pytest.mark.parametrize("statement", ["UPDATE jobs SET state = 'lost'", "UPDATE jobs SET priority = 'urgent'"])
def test_status_columns_take_their_words_only(engine: Engine, statement: str) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError, match="invalid input value for enum"):
        connection.execute(text(statement))
