"""The modules that are mutated, the tests that must notice, and the mutants that are known to change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.txt")
MODULES = (
    "pipeline/domain/*.py",
    "pipeline/steps/categorise.py",
    "pipeline/steps/collect.py",
    "pipeline/steps/collections.py",
    "pipeline/steps/dead_letters.py",
    "pipeline/steps/idempotency.py",
    "pipeline/steps/imports.py",
    "pipeline/steps/intake.py",
    "pipeline/steps/jobs.py",
    "pipeline/steps/keys.py",
    "pipeline/steps/models.py",
    "pipeline/steps/retention.py",
    "pipeline/steps/review_listing.py",
    "pipeline/steps/rules.py",
    "pipeline/steps/source_registration.py",
    "pipeline/steps/studies.py",
    "pipeline/steps/trainings.py",
    "infra/store/jobs/claims.py",
    "infra/store/jobs/outbox.py",
    "infra/store/decisions.py",
    "infra/store/imports/bulk_import.py",
    "infra/store/host_rate_limits.py",
    "infra/safe_fetch/addresses.py",
)
# Messages, names of products and their links, and the forms of reports: tables of words, not rules.
LEFT_OUT = (
    "pipeline/domain/product_databases.py",
    "pipeline/domain/published_weights.py",
    "pipeline/domain/reason_code.py",
    "pipeline/domain/study_report.py",
)
# All tests but those of mathematics, of browsers and of whole stacks.
TESTS = (
    "tests/unit/api",
    "tests/unit/infra",
    "tests/unit/pipeline/category_mapping",
    "tests/unit/pipeline/classification",
    "tests/unit/pipeline/domain",
    "tests/unit/pipeline/steps",
    "tests/unit/workers",
    "tests/contracts",
    "tests/integration/api",
    "tests/integration/infra",
    "tests/integration/workers",
)


def modules(root: Path, pattern: str = "*") -> Iterator[str]:
    """The paths of the modules that fit a pattern, from ``root``."""
    for target in MODULES:
        for file in sorted(root.glob(target)):
            path = file.relative_to(root).as_posix()
            if path not in LEFT_OUT and file.name != "__init__.py" and fnmatch(path, pattern):
                yield path


def read_equivalents(text: str) -> Mapping[str, str]:
    """Keys of mutants with the reason why no test can notice them: a line each, the reason indented below it."""
    reasons: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line.startswith(" "):
            reasons[key] = f"{reasons[key]} {line.strip()}".strip()
        elif line.strip() and not line.startswith("#"):
            key = line.strip()
            reasons[key] = ""
    return reasons
