"""Terminal output of commands: results go to standard output, progress and notes to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich import progress as rich_progress
from rich.console import Console
from rich.table import Table

from pipeline.domain.display_text import replace_control_characters
from pipeline.domain.progress import Progress

# The option of commands whose result can be printed as JSON.
AsJson = Annotated[bool, typer.Option("--json", help="print JSON only")]
REPORT_SECONDS = 30.0
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def print_line(line: str) -> None:
    """Print a line of the result."""
    print(replace_control_characters(line), flush=True)


def print_note(line: str) -> None:
    """Print a line that is not part of the result."""
    print(replace_control_characters(line), file=sys.stderr, flush=True)


def print_json(result: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print the result as JSON."""
    print(json.dumps(result, indent=2, ensure_ascii=False, default=str), flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; it is 200 characters wide if the output is not a terminal."""
    table = Table(*header)
    for row in rows:
        table.add_row(*("" if cell is None else replace_control_characters(str(cell)) for cell in row))
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=200)
    console.print(table)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show a progress bar on standard error; where that is no terminal, a line every REPORT_SECONDS."""
    console = Console(stderr=True)
    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    started = last = time.monotonic()

    def report_line(share: float, note: str, /) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_SECONDS:
            last = now
            left = f", about {(now - started) * (1 - share) / share / 60:.0f} min left" if share > 0.05 else ""
            print_note(f"{share:.0%} {note}{left}")

    if not console.is_terminal:
        yield report_line
        return
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, note, /: bar.update(task, completed=share, description=note)
