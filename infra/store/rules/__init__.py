"""Rules on Postgres: repository, lists with examples, coverage reports, and the inputs of proposals."""
