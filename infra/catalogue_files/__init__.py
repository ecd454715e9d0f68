"""Readers of catalogue files, and writers of import verdicts and rule files."""
