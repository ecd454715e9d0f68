"""Interfaces that the use cases need, as typed protocols; ``infra`` implements them, tests use fakes."""
