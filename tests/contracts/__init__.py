"""The same cases on the in-memory store and on Postgres: what use cases may expect of their ports."""
