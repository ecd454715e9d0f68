"""Jobs in Postgres, their attempts, and the workers that run them."""
