"""The feasibility study, stage by stage, from the sample of listings to the report."""
