"""Taxonomies and their categories: tables, writes, and reads for pages, lists and workers."""
