"""Tests: rate_limits."""
