"""The changes that mutants make to Python code: each function tells those of one kind of node.

Every change is a piece of text put in place of another, so that all other lines stay as they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import accumulate

from tests.mutation import sql
from tests.mutation.sql import Edit

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: (r"<(?!=)", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (r">(?!=)", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: (r"\bis\b", "is not"),
    ast.IsNot: (r"\bis\s+not\b", "is"),
    ast.In: (r"\bin\b", "not in"),
    ast.NotIn: (r"\bnot\s+in\b", "in"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: (r"\*\*", "*"),
}
OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)  # to change these is to negate the condition
FUNCTIONS = {"min": "max", "max": "min", "all": "any", "any": "all"}
# Methods of SQLAlchemy's statements and columns that narrow, order or lock: the call is left out of its chain.
CHAINED = frozenset(
    {"where", "having", "filter", "order_by", "limit", "offset", "distinct", "with_for_update", "asc", "desc"}
    | {"on_conflict_do_nothing", "on_conflict_do_update", "nulls_first", "nulls_last"}
)
# What a function returns instead, by the beginning of its annotation; None where nothing here fits.
DEFAULTS = {"int": "0", "float": "0.0", "str": '""', "list": "[]", "Sequence": "[]", "dict": "{}", "Mapping": "{}"}


class Module:
    """The text of a module beside its syntax tree."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = ast.parse(source)
        self._lines = source.split("\n")
        self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=0))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends in the text."""
        start = self._offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return start, self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def text(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.source[start:end]

    def with_part(self, whole: ast.AST, part: tuple[int, int], after: str, operator: str) -> Edit:
        """The edit that replaces ``part``, told as a change of the ``whole`` expression."""
        start, end = self.span(whole)
        return Edit(operator, start, end, self.source[start : part[0]] + after + self.source[part[1] : end])

    def between(self, left: ast.AST, right: ast.AST, pattern: str) -> tuple[int, int] | None:
        """Where the operator that matches ``pattern`` stands between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        found = re.compile(pattern).search(self.source, start, end)
        return found.span() if found else None

    def shown(self, edit: Edit) -> tuple[str, str]:
        """Before and after on one line; a short piece of SQL with some of what surrounds it."""
        start, end = edit.start, edit.end
        if edit.operator.startswith("sql") and end - start < 12:
            start = max(self.source.rfind("\n", 0, start) + 1, start - 25)
            end = min(f"{self.source}\n".find("\n", end), end + 25)
        before = self.source[start:end]
        after = before[: edit.start - start] + edit.after + before[len(before) - (end - edit.end) :]
        return " ".join(before.split()), " ".join(after.split())


def compared(module: Module, node: ast.Compare) -> Iterator[Edit]:
    """One comparison operator exchanged."""
    for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
        pattern, after = COMPARISONS[type(op)]
        if place := module.between(left, right, pattern):
            yield module.with_part(node, place, after, "comparison")


def joined(module: Module, node: ast.BoolOp) -> Iterator[Edit]:
    """One operand left out; ``and`` and ``or`` exchanged."""
    is_and = isinstance(node.op, ast.And)
    for value in node.values:
        yield module.with_part(node, module.span(value), "True" if is_and else "False", "operand left out")
    place = module.between(node.values[0], node.values[1], r"\band\b" if is_and else r"\bor\b")
    if place and len(node.values) == 2:
        yield module.with_part(node, place, "or" if is_and else "and", "and/or")


def tested(module: Module, node: ast.If | ast.While | ast.IfExp) -> Iterator[Edit]:
    """The condition of if, while or a conditional expression negated."""
    yield from _negated(module, node.test)


def filtered(module: Module, node: ast.comprehension) -> Iterator[Edit]:
    """A condition of a comprehension left out, or negated."""
    for test in node.ifs:
        yield Edit("filter left out", *module.span(test), "True")
        yield from _negated(module, test)


def _negated(module: Module, test: ast.expr) -> Iterator[Edit]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], OPPOSITES)):
        yield Edit("condition negated", *module.span(test), f"not ({module.text(test)})")


def unary(module: Module, node: ast.UnaryOp) -> Iterator[Edit]:
    """``not`` or a minus left out."""
    if isinstance(node.op, ast.Not | ast.USub):
        yield Edit("not/minus left out", *module.span(node), f"({module.text(node.operand)})")


def constant(module: Module, node: ast.Constant) -> Iterator[Edit]:
    """A number one more, a truth value the other; a string only if it holds SQL."""
    if isinstance(node.value, bool):
        yield Edit("constant", *module.span(node), str(not node.value))
    elif isinstance(node.value, int | float):
        yield Edit("constant", *module.span(node), str(node.value + 1))
    elif isinstance(node.value, str):
        yield from sql_text(module, node, node.value)


def formatted(module: Module, node: ast.JoinedStr) -> Iterator[Edit]:
    """An f-string that holds SQL."""
    first = node.values[0] if node.values else None
    yield from sql_text(module, node, str(first.value) if isinstance(first, ast.Constant) else "")


def sql_text(module: Module, node: ast.expr, text: str) -> Iterator[Edit]:
    """The mutations of SQL in a string literal."""
    if sql.is_sql(text):
        start, _ = module.span(node)
        for edit in sql.edits(module.text(node)):
            yield edit._replace(start=start + edit.start, end=start + edit.end)


def calculated(module: Module, node: ast.BinOp) -> Iterator[Edit]:
    """An arithmetic operator exchanged; of a union of sets or dicts, the left side alone."""
    if isinstance(node.op, ast.BitOr):
        yield Edit("union left out", *module.span(node), f"({module.text(node.left)})")
    elif type(node.op) in ARITHMETIC and not (_is_text(node.left) or _is_text(node.right)):
        pattern, after = ARITHMETIC[type(node.op)]
        if place := module.between(node.left, node.right, pattern):
            yield module.with_part(node, place, after, "arithmetic")


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def called(module: Module, node: ast.Call) -> Iterator[Edit]:
    """A keyword argument left out; ``min`` and ``max`` exchanged; a call left out of a chain."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    for keyword in node.keywords:
        if keyword.arg is not None and (name, keyword.arg) != ("zip", "strict"):
            start, end = module.span(keyword)
            comma = re.compile(r"\s*,").match(module.source, end)
            yield Edit("keyword left out", start, comma.end() if comma else end, "")
    if name in FUNCTIONS:
        yield Edit("function", *module.span(node.func), FUNCTIONS[name])
    if isinstance(node.func, ast.Attribute) and node.func.attr in CHAINED:
        dot = module.source.rindex(".", 0, module.span(node.func)[1])
        yield Edit("call left out", dot, module.span(node)[1], "")


def listed(module: Module, node: ast.Set | ast.List | ast.Tuple) -> Iterator[Edit]:
    """One element left out of a set, or of a list or tuple of constants."""
    if len(node.elts) < 2 or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    if isinstance(node, ast.Set) or all(isinstance(e, ast.Constant) or _is_named_constant(e) for e in node.elts):
        for index in range(len(node.elts)):
            kept = ", ".join(module.text(e) for i, e in enumerate(node.elts) if i != index)
            after = {ast.Set: f"{{{kept}}}", ast.List: f"[{kept}]", ast.Tuple: f"({kept},)"}[type(node)]
            yield Edit("element left out", *module.span(node), after)


def _is_named_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).rpartition(".")[2].isupper()


def stated(module: Module, node: ast.stmt) -> Iterator[Edit]:
    """A statement left out whose effect lies outside of the local names; ``break`` and ``continue`` exchanged."""
    match node:
        case ast.Break():
            yield Edit("break/continue", *module.span(node), "continue")
        case ast.Continue():
            yield Edit("break/continue", *module.span(node), "break")
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield Edit("statement left out", *module.span(node), "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield Edit("statement left out", *module.span(node), "pass")


def returned(module: Module, node: ast.Return, annotation: str) -> Iterator[Edit]:
    """Nothing returned, or something empty; the opposite where it is a truth value."""
    if node.value is None:
        yield Edit("statement left out", *module.span(node), "pass")
    elif isinstance(node.value, ast.Constant):
        return  # another operator's
    elif annotation == "bool":
        yield Edit("return value", *module.span(node.value), f"not ({module.text(node.value)})")
    else:
        default = DEFAULTS.get(re.split(r"\W", annotation)[0], "None") if "| None" not in annotation else "None"
        yield Edit("return value", *module.span(node.value), default)


# mypy cannot see that each function takes the kind of node beside it.
OPERATORS: tuple[tuple[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[Edit]]], ...] = (
    (ast.Compare, compared),
    (ast.BoolOp, joined),
    ((ast.If, ast.While, ast.IfExp), tested),
    (ast.comprehension, filtered),
    (ast.UnaryOp, unary),
    (ast.Constant, constant),
    (ast.JoinedStr, formatted),
    (ast.BinOp, calculated),
    (ast.Call, called),
    ((ast.Set, ast.List, ast.Tuple), listed),
    (ast.stmt, stated),
)
