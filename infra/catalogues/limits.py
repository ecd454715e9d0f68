"""Bounds on what a row of a catalogue may hold, in characters; beyond them a row is rejected with the reason."""

MAX_NAME = 2_000
MAX_DESCRIPTION = 100_000
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE = 2_000
MAX_EXTERNAL_ID = 200
MAX_IMAGES = 20
MAX_ADDRESS = 4_096
MAX_RECORD = 1_000_000
SAMPLE_RECORDS = 500
MAX_RECORDS_LOOKED_AT = 20_000
SAMPLE_BYTES = 1 << 20
