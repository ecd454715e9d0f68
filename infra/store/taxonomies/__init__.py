"""Taxonomies, their categories, and the sources that belong to them, on Postgres."""
