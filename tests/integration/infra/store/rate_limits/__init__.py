"""Mirrors ``infra.store.rate_limits``."""
