"""Taxonomies and their categories: API routes and pages."""
