"""Storage against real folders and a real S3 server."""
