"""Collections: standing queries to product databases over HTTP."""
