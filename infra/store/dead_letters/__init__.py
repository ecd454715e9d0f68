"""Dead letters on Postgres: jobs that were given up."""
