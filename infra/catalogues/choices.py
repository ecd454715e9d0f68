"""What somebody says of a file's columns: ``name=title,description=body,id=sku``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from infra.catalogues.columns import ROLES, no_role
from pipeline.domain.errors import InvalidCatalogue

# A comma ends a pair only where another role follows: columns may have commas in their names.
NEXT_PAIR = re.compile(r",(?=[^,=]*=)")
EXAMPLE = "name=title,description=body,category=path,image=photo,id=sku"


def read_choices(texts: Sequence[str]) -> dict[str, str]:
    """Fields and their columns, as ``open_catalogue`` takes them.

    ``role=`` says that the file has no such column; ``attributes`` may be given several times, or several columns.
    Raises InvalidCatalogue when a role does not exist (it lists those there are), names no column or comes twice.
    """
    chosen: dict[str, str] = {}
    for pair in (pair for text in texts for pair in NEXT_PAIR.split(text)):
        role, equals, column = pair.partition("=")
        role = role.strip().lower()
        if not equals:
            raise InvalidCatalogue(f"{pair!r} says no role and column; write it like {EXAMPLE}")
        field = ROLES.get(role) or (role if role in ROLES.values() else None)
        if field is None:
            raise no_role(role)
        if field == "attributes" and chosen.get(field):
            column = f"{chosen[field]},{column}"
        elif field in chosen:
            raise InvalidCatalogue(f"two columns are given for {role}: {chosen[field]!r} and {column!r}; choose one")
        chosen[field] = column
    return chosen
