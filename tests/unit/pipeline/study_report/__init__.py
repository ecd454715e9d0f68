"""Tests of the report of a study: pages, charts, tables."""
