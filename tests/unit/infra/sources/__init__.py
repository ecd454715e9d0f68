"""Mirrors ``infra.sources``."""
