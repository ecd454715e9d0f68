"""Imports of catalogue files and from product databases in Postgres."""
