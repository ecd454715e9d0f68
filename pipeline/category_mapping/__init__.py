"""Tests: category_mapping."""
