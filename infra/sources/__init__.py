"""Product databases behind ``pipeline.ports.ProductSource``: one file for each kind of database."""
