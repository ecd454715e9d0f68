"""Mirrors ``api``."""
