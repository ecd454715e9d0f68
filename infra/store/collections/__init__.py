"""Collections: standing queries to product databases in Postgres."""
