"""Mirrors ``infra.catalogues``."""
