"""Taxonomies, their categories, and the sources that use them in Postgres."""
