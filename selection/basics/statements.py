"""Which statements lie within one of Python's? What is defined or imported is a statement."""

from __future__ import annotations

import ast

_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Fields that hold statements, or what has statements in it such as a handler, in the order of the
source. Nothing is stated within an expression, and nearly all nodes of a tree are in one."""


def inner_statements(statement: ast.AST) -> list[ast.AST]:
    """Give what lies directly within a statement or a module, in order."""
    return [inner for block in _BLOCKS for inner in getattr(statement, block, ())]
