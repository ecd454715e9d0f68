"""API keys on Postgres, and the answers remembered by idempotency key."""
