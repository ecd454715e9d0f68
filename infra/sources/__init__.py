"""Product databases: asked over HTTP or read from their published files, their products brought into one form."""
