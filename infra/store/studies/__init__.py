"""Studies on Postgres: their trials, the jobs of their stages, and their progress."""
