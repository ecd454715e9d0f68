"""Category rules in Postgres."""
