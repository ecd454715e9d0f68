"""The use cases, on fakes that carry the ports' names."""
