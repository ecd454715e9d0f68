"""Readers of catalogue files and writers of verdicts."""
