"""The option that says which column is what, the same for every command that reads a catalogue file."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.catalogues.choices import EXAMPLE, read_choices

HELP = (
    f"which column is what, when it is not found out rightly: {EXAMPLE}; also attributes=brand,colour (or =*) and "
    "split; an empty one (image=) says there is none; may be repeated"
)
ColumnsOption = Annotated[list[str] | None, typer.Option("--columns", metavar="ROLE=COLUMN,…", help=HELP)]


def chosen_columns(texts: list[str] | None) -> dict[str, str]:
    """What ``open_catalogue`` takes as ``columns``; InvalidCatalogue when it is no choice."""
    return read_choices(texts or [])
