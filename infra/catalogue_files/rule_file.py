"""Rules in a CSV file: written for spreadsheets, and read back with a message for every line that cannot be used."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from infra.catalogue_files.encoding import detect_encoding
from infra.store.rules.queries import RuleView
from pipeline.domain.csv_cells import guard_formula, unguarded
from pipeline.domain.errors import InvalidInput
from pipeline.domain.rule import InvalidRuleLines, RuleLine, RuleStatus

READ_COLUMNS = ("source_category", "category", "status")
FURTHER_COLUMNS = ("score", "support", "similarity", "agreement", "decided_by")
MEANS_NOTHING = "(nothing)"  # instead of a category: it means nothing here
# A status behind a delimiter inside a cell: the cell swallowed the end of its line, and lines after it.
SWALLOWED_LINE = re.compile(r"[,;\t|]\s*\"?(?:accepted|refused|proposed)?\"?\s*(?:[,;\t|][^\n]*)?\n", re.IGNORECASE)
DELIMITERS = ",;\t|"


def write_rules(path: Path, rules: Iterable[RuleView]) -> int:
    """Write rules, a line each; returns how many. InvalidInput when the file cannot be written."""
    written = 0
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*READ_COLUMNS, *FURTHER_COLUMNS])
            for rule in rules:
                category = MEANS_NOTHING if rule.category is None else rule.category
                figures = (rule.score, rule.support, rule.similarity, rule.agreement)
                cells = [f"{figure:.4g}" if isinstance(figure, float) else figure for figure in figures]
                sides = (guard_formula(rule.source_category), guard_formula(category))
                writer.writerow([*sides, rule.status.value, *cells, rule.decided_by])
                written += 1
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; name another file") from error
    return written


def read_rules(path: Path) -> list[RuleLine]:
    """The decisions of a file; lines whose status is 'proposed' or empty decide nothing and are left out.

    Raises InvalidInput when it is no such file, and RefusedLines with every line that cannot be used.
    """
    lines: list[RuleLine] = []
    problems: dict[int, str] = {}
    first: dict[tuple[str, str | None] | str, int] = {}
    for number, cells in _rows(path):
        try:
            line = _line(number, cells)
            if line is not None:
                _only_once(line, first)
                lines.append(line)
        except InvalidInput as error:
            problems[number] = str(error)
    if problems:
        raise InvalidRuleLines(problems)
    return lines


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The numbers of lines with the cells of ``READ_COLUMNS``; blank lines are passed over."""
    encoding = detect_encoding(path)
    head = encoding.head(path).partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    with encoding.open(path) as stream:
        rows = csv.reader(stream, delimiter=delimiter)
        try:
            header = [cell.strip().lower() for cell in next(rows, [])]
            columns = _columns(path, header)
            last = rows.line_num
            for row in rows:
                if rows.line_num > last + 1 and any(SWALLOWED_LINE.search(cell) for cell in row):
                    raise InvalidInput(
                        f"{path}, line {last + 1}: a quote is not closed, so that the lines up to {rows.line_num} "
                        "would be read as one; close it, or double a quote that belongs to a name"
                    )
                last = rows.line_num
                if any(cell.strip() for cell in row):
                    yield rows.line_num, [row[at].strip() if at < len(row) else "" for at in columns]
        except csv.Error as error:
            raise InvalidInput(
                f"{path}, line {rows.line_num}: {error}; export the rules again and edit that"
            ) from error


def _columns(path: Path, header: Sequence[str]) -> list[int]:
    missing = [name for name in READ_COLUMNS if name not in header]
    if missing:
        named = " and ".join(f"'{name}'" for name in missing)
        raise InvalidInput(
            f"{path} has no column {named}; it needs {', '.join(READ_COLUMNS)}: 'rayon rules export' writes such a file"
        )
    return [header.index(name) for name in READ_COLUMNS]


def _line(number: int, cells: Sequence[str]) -> RuleLine | None:
    name, category, status = unguarded(cells[0]), unguarded(cells[1]), cells[2].lower()
    if status in ("", RuleStatus.PROPOSED):
        return None
    if status not in (RuleStatus.ACCEPTED, RuleStatus.REFUSED):
        known = f"{RuleStatus.ACCEPTED}, {RuleStatus.REFUSED} or {RuleStatus.PROPOSED}"
        raise InvalidInput(f"the status is '{status[:40]}'; write {known}")
    if not name:
        raise InvalidInput("the source_category is empty; write it as the source names it, such as en:champagnes")
    if not category:
        raise InvalidInput(f"the category is empty; write its path, or {MEANS_NOTHING} if {name} means nothing here")
    return RuleLine(
        number, name, None if category.lower() == MEANS_NOTHING else category, status == RuleStatus.ACCEPTED
    )


def _only_once(line: RuleLine, first: dict[tuple[str, str | None] | str, int]) -> None:
    """Raise InvalidInput for a rule that an earlier line has, and for a second accepted one of a category."""
    before = first.setdefault((line.source_category, line.category), line.number)
    if before != line.number:
        raise InvalidInput(f"line {before} has the same rule; leave one of them")
    if line.accepted:
        before = first.setdefault(line.source_category, line.number)
        if before != line.number:
            raise InvalidInput(f"{line.source_category} is accepted in line {before} already; refuse one of them")
