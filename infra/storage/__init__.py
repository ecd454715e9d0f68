"""Object storage: any S3 server, or a folder."""
