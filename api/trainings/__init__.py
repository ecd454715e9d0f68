"""Tests: trainings."""
