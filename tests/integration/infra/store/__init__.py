"""The record on a real Postgres."""
