"""Mutation tests: small faults are put into a copy of the source, and the tests have to fail for each of them."""
