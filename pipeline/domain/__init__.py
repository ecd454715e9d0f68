"""The words of the house: listings, categories, predictions, decisions, jobs. Standard library only."""
