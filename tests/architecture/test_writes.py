"""Writes go through use cases: what drives them opens no transaction of its own."""

from __future__ import annotations

import ast

from tests.architecture.tree import python_files, short


def opens_transaction(source: str) -> bool:
    """Whether the source begins, opens or commits a transaction: ``engine.begin()``, ``units()``, ``unit.commit()``."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    names = {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)}
    return bool(names & {"begin", "begin_nested", "commit", "units", "SqlUnitOfWork"})


def writers() -> set[str]:
    return {short(path) for path in python_files("api", "workers") if opens_transaction(path.read_text("utf-8"))}


def test_api_and_workers_open_no_transactions() -> None:
    assert writers() == set()


def test_a_transaction_is_seen() -> None:
    assert opens_transaction("with context.engine.begin() as connection: write(connection)")
    assert opens_transaction("with context.units() as unit: unit.commit()")
    assert opens_transaction("session.commit()")
    assert not opens_transaction("with context.engine.connect() as connection: read(connection)")
