"""Mirrors ``workers/commands``."""
