"""Feasibility studies in Postgres."""
