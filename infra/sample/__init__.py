"""The sample catalogue: its words, its drawings, and the generator that puts them together."""
