"""Mirrors ``infra.safe_fetch``."""
