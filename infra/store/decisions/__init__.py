"""Tests: decisions."""
