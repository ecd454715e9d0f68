"""The mutants of a Python module: each is one small change of its text, at a place where code or SQL is run.

Left alone: docstrings and other wording, annotations, decorators, assertions, logging calls, ``__repr__``, f-strings
that hold no SQL, columns of tables, and ``strict`` of ``zip``.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.mutation.operators import OPERATORS, Module, returned
from tests.mutation.sql import Edit

TYPES = frozenset(
    {"tuple", "list", "dict", "set", "frozenset", "type", "str", "bytes", "int", "float", "bool", "object"}
)
LOGS = frozenset({"log", "logger", "logging", "_log", "_logger", "LOG"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one module: ``source[start:end]`` becomes ``replacement``.

    ``where`` is the function, class or constant it lies in; ``before`` and ``after`` are for people, on one line.
    ``turn`` counts, from 1, mutants that are otherwise described alike. ``key`` identifies it though lines move.
    ``functions`` are those of the module that run it or use the constant it lies in; empty when that cannot be told.
    """

    path: str
    line: int
    where: str
    operator: str
    before: str
    after: str
    turn: int
    start: int
    end: int
    replacement: str
    functions: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What identifies the mutant, readable: path, place, operator, change."""
        change = f"{self.before} -> {self.after or '(nothing)'}"
        return f"{self.path} {self.where} {self.operator}: {change}" + (f" #{self.turn}" if self.turn > 1 else "")

    def apply(self, source: str) -> str:
        """The source of the module with this change."""
        return source[: self.start] + self.replacement + source[self.end :]


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mutant of a module that still compiles, by position."""
    module = Module(source)
    users = _users(module.tree)
    made: list[Mutant] = []
    seen = {source}
    alike: Counter[tuple[str, ...]] = Counter()
    for where, edit in sorted(_edits(module, module.tree), key=lambda pair: (pair[1].start, pair[1].end)):
        before, after = module.shown(edit)
        told = (where, edit.operator, before, after)
        line = source.count("\n", 0, edit.start) + 1
        mutant = Mutant(path, line, *told, alike[told] + 1, *edit[1:], _functions(where, users))
        text = mutant.apply(source)
        if text not in seen and _compiles(text):
            seen.add(text)
            alike[told] += 1
            made.append(mutant)
    return made


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _users(tree: ast.Module) -> dict[str, set[str]]:
    """Functions and methods, each with itself, and constants of the module, each with the functions that use it."""
    bodies: dict[str, ast.AST] = {}
    users: dict[str, set[str]] = {}
    for node in tree.body:
        for name, each in (
            [("", node)] if not isinstance(node, ast.ClassDef) else [(f"{node.name}.", n) for n in node.body]
        ):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                bodies[name + each.name] = each
    for function, body in bodies.items():
        users.setdefault(function, set()).add(function)
        for used in ast.walk(body):
            if isinstance(used, ast.Name):
                users.setdefault(used.id, set()).add(function)
    for node in reversed(tree.body):  # a constant that others are made of stands before them
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for used in ast.walk(node.value):
                if isinstance(used, ast.Name):
                    users.setdefault(used.id, set()).update(users.get(node.targets[0].id, set()))
    return users


def _functions(where: str, users: Mapping[str, set[str]]) -> frozenset[str]:
    """The functions for a place; one within another runs when the other does."""
    outer, _, rest = where.partition(".")
    method = f"{outer}.{rest.partition('.')[0]}"
    if method in users:
        return frozenset(users[method])
    return frozenset(users.get(outer, ())) if outer in users.get(outer, ()) or not rest else frozenset()


def _edits(
    module: Module, parent: ast.AST, names: tuple[str, ...] = (), returns: str = ""
) -> Iterator[tuple[str, Edit]]:
    """The edits below a node, each with the name of the function, class or constant it lies in."""
    for node in _children(parent):
        within, annotation = names, returns
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = (*names, node.name)
            returned_type = None if isinstance(node, ast.ClassDef) else node.returns
            annotation = ast.unparse(returned_type) if returned_type else ""
        elif isinstance(parent, ast.Module | ast.ClassDef) and isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            within = (*names, ast.unparse(target))
        if isinstance(node, ast.Return):
            found: Iterator[Edit] = returned(module, node, annotation)
        else:
            found = (edit for kind, make in OPERATORS if isinstance(node, kind) for edit in make(module, node))
        yield from ((".".join(within), edit) for edit in found)
        yield from _edits(module, node, within, annotation)


def _children(parent: ast.AST) -> Iterator[ast.AST]:
    """The nodes below that are run and hold no wording; of an f-string none, their places are not told exactly."""
    if isinstance(parent, ast.JoinedStr):
        return
    for name, value in ast.iter_fields(parent):
        if name in {"annotation", "returns", "decorator_list", "type_params", "ops"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not _left_alone(node, parent):
                yield node


def _left_alone(node: ast.AST, parent: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.FunctionDef(name="__repr__"):
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGS
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.keyword(arg="strict"):
            return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "zip"
        case ast.AnnAssign(value=ast.Call(func=ast.Name(id="mapped_column"))):  # the schema, which migrations make
            return True
        case ast.Assign(value=ast.BinOp(op=ast.BitOr()) | ast.Subscript() as value):  # an alias of a type
            names = re.findall(r"[\w.]+", ast.unparse(value))
            return all(name[0].isupper() or name in TYPES for name in names)
    return False
