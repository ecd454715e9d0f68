"""Tests of the category mapping."""
