"""Object storage on any S3 server or in a folder, and the model registry on top of it."""
