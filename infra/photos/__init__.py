"""Photos of listings: read from the object storage or fetched from their address, politely, and stored once."""
