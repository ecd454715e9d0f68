"""The rules of the source tree: imports, names, folders, deployment files."""
