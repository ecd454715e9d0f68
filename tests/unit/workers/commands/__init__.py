"""Mirrors ``workers.commands``."""
