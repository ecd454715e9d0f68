"""Mirrors ``infra.storage``."""
