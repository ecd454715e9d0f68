"""Predictions, decisions, reviews and events in Postgres."""
