"""In-memory implementations of the ports; tests/contracts holds them to the same cases as the real ones."""
