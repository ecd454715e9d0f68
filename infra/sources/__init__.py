"""Product databases behind ``pipeline.ports.outside.ProductSource``: one file for each kind of database."""
