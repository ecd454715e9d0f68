"""What goes in and out over HTTP, one module a noun."""
