"""Tests: study_report."""
