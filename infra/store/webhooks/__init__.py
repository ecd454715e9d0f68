"""Webhooks on Postgres: tables of a later step."""
