"""Interfaces that the use cases need, as typed protocols; ``infra`` implements them, and tests use fakes."""
