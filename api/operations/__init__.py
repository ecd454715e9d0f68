"""Liveness, readiness, metrics and the job summary: API routes."""
