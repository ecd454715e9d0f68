"""Tests by kind: architecture, unit, integration, e2e, faults, benchmarks."""
