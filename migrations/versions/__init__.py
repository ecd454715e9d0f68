"""Versions of the database schema, in order."""
