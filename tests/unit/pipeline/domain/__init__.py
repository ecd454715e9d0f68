"""The words of the house and their rules."""
