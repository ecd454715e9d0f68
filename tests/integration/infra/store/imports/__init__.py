"""Imports on Postgres."""
