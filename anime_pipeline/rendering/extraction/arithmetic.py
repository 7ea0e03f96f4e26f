"""ComfyUI's math nodes: an expression over named numbers, worked out without running any of it as code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Number = int | float
MAX_LENGTH, MAX_EXPONENT, MAX_BITS = 1000, 64, 512

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda *values: sum(values), "min": min, "max": max, "abs": abs, "round": round, "sqrt": math.sqrt,
    "ceil": math.ceil, "floor": math.floor, "log": math.log, "log2": math.log2, "log10": math.log10,
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "int": int, "float": float,
}  # fmt: skip


def work_out(expression: str, values: Mapping[str, Number]) -> Number | None:
    """The finite number that an expression gives, or None for one that cannot be worked out."""
    if len(expression) > MAX_LENGTH:
        return None
    try:
        found = _value(ast.parse(expression.strip(), mode="eval").body, values)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, KeyError, RecursionError, MemoryError):
        return None
    if isinstance(found, bool):
        return int(found)
    return found if isinstance(found, int) or (isinstance(found, float) and math.isfinite(found)) else None


def _value(node: ast.AST, values: Mapping[str, Number]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return _SIGNS[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        return _small(
            _power(left, right) if isinstance(node.op, ast.Pow) else _OPERATORS[type(node.op)](left, right)
        )
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _OPERATORS[type(node.ops[0])](_value(node.left, values), _value(node.comparators[0], values))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values) else node.orelse, values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _small(_called(node.func.id, [_value(argument, values) for argument in node.args]))
    raise ValueError(f"{type(node).__name__} is no arithmetic")


def _called(name: str, arguments: Sequence[Any]) -> Any:
    return _power(*arguments) if name == "pow" else _FUNCTIONS[name](*arguments)


def _power(base: Number, exponent: Number) -> Any:
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError("too large")
    return base**exponent


def _small(found: Any) -> Any:
    # Squaring again and again doubles the digits each time.
    if isinstance(found, int) and found.bit_length() > MAX_BITS:
        raise ValueError("too large")
    return found
