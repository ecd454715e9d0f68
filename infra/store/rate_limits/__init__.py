"""Rate limits and health of the hosts of product databases, shared by all processes in Postgres."""
