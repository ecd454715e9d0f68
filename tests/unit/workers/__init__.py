"""Mirrors ``workers``."""
