"""The embedded stack: Postgres, Redis and a supervisor, without root or containers."""
