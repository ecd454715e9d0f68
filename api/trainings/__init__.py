"""Trainings over HTTP: requested and followed; a worker does them."""
