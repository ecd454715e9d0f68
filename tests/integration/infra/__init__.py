"""Mirrors ``infra``."""
