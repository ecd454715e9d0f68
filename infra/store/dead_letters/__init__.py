"""Dead letters: jobs that were given up in Postgres."""
