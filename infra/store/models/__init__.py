"""Model versions on Postgres, and trainings as users follow them."""
