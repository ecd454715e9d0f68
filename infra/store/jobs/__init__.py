"""Jobs, their attempts, and the workers that do them in Postgres."""
