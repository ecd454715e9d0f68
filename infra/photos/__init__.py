"""Photos of listings: read from the object storage, or fetched within their hosts' rate limits and stored once."""
