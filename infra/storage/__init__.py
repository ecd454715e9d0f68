"""Object storage on any S3 server or in a folder, and the model registry and weights fetch log on top of it."""
