"""What a tester sees before testing: the features of a function that advice is asked for."""

from __future__ import annotations

import ast

from engrain.qe.bughunt.corpus import Function

State = dict[str, str | float | bool]
COUNTED: dict[str, tuple[type[ast.AST], ...]] = {
    "branches": (ast.If, ast.IfExp),
    "loops": (ast.For, ast.While, ast.comprehension),
    "comparisons": (ast.Compare,),
    "arithmetic": (ast.BinOp, ast.AugAssign),
    "slices": (ast.Subscript,),
    "calls": (ast.Call,),
    "raises": (ast.Raise,),
    "returns": (ast.Return,),
}


def state(function: Function) -> State:
    """Features of a function: where it lives, what it takes, how it is built. Counts n are squeezed to n / (n + 3)."""
    nodes = list(ast.walk(function.node))
    kinds = [kind for _, kind in function.parameters]
    doc = ast.get_docstring(function.node) or ""
    texts = sum(isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) for node in nodes) - bool(doc)
    found: State = {
        "function": function.label,
        "module": function.module,
        "takes": ",".join(kinds),
        "first": kinds[0],
        "documented": bool(doc),
        "examples": ">>>" in doc,
        "arguments": len(kinds) / 4,
        "texts": _squeeze(texts),
    }
    counts = {name: sum(isinstance(node, types) for node in nodes) for name, types in COUNTED.items()}
    return found | {name: _squeeze(count) for name, count in counts.items()}


def _squeeze(count: int) -> float:
    return round(count / (count + 3), 3)


def kind(features: State) -> str:
    """The kind of function in plain words, for the report."""
    return {"str": "text", "strs": "lists of text", "bytes": "bytes", "bool": "truth values"}.get(
        str(features["first"]), "lists of numbers" if str(features["first"]).endswith("s") else "numbers"
    )


def words(function: Function) -> str:
    """The function in a line of words, to find it and its relatives by: what recall is asked."""
    takes = ", ".join(f"{name}: {kind}" for name, kind in function.parameters)
    first = (ast.get_docstring(function.node) or "").partition("\n")[0]
    return f"{function.label}({takes}) {first}".strip()
