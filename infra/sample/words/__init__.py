"""The words of the sample catalogue: what every seller says, and one module of shelves per department."""
