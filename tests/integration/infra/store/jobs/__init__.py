"""The outbox on a real Postgres."""
