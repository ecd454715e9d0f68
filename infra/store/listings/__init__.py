"""Tests: listings."""
