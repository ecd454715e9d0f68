"""What the house needs from others, as typed protocols; ``infra`` implements them, tests bring fakes."""
