"""The photos of the sample catalogue, drawn: a pen, scenes, and one module of motifs per department."""
