"""Tests: keys."""
