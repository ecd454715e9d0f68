"""The use cases: intake, imports, categorisation, reviews, rules, training, models, studies and operation."""
