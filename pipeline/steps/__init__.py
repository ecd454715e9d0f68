"""The use cases, in the order a listing meets them: intake, categorise, review, train, promote, replay."""
