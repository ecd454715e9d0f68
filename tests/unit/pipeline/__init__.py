"""Mirrors ``pipeline``."""
