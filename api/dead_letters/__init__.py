"""Tests: dead_letters."""
