"""Tests: architecture, unit, integration, e2e, faults, benchmarks."""
