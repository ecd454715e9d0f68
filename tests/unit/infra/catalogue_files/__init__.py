"""Readers of catalogue files."""
