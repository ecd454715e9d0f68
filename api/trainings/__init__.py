"""Trainings of model versions: API routes."""
