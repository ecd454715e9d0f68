"""Tests: taxonomies."""
