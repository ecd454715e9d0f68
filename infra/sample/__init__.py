"""The sample catalogue: vocabularies, drawings, and the generator of listings that combines them."""
