"""Mirrors ``infra.photos``."""
