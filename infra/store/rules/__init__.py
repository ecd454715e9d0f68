"""Rules on Postgres: written and decided, listed with examples, their coverage, and what proposals are made from."""
