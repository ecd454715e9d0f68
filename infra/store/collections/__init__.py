"""Collections on Postgres: queries to product databases with a schedule, and where their listings come from."""
