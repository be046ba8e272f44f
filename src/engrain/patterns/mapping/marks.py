"""Decorators of tests: skip, skipIf, skipUnless and expectedFailure, and pytest's marks for them."""

from __future__ import annotations

import libcst as cst

from engrain.patterns.mapping.python_text import Left, Source, argument, code

SURE = (cst.Comparison, cst.UnaryOperation)


def to_pytest(source: Source, mark: cst.Decorator) -> cst.Decorator | None:
    """The mark that says what unittest's decorator says; None when it is not one of unittest's."""
    node = mark.decorator
    call = node if isinstance(node, cst.Call) else None
    name = source.known(call.func if call else node).removeprefix("unittest.case.").removeprefix("unittest.")
    args = {}
    if call is not None and name in {"skip", "skipIf", "skipUnless"}:
        wanted = ["reason"] if name == "skip" else ["condition", "reason"]
        for place, arg in enumerate(call.args):
            if arg.star or place >= len(wanted):
                raise Left(f"the arguments of {name} are not spelled out", mark)
            args[arg.keyword.value if arg.keyword else wanted[place]] = arg.value
    if name == "expectedFailure" and call is None:
        text = "pytest.mark.xfail(strict=True)"
    elif name == "skip":
        text = f"pytest.mark.skip(reason={argument(args['reason'])})" if args else "pytest.mark.skip"
    elif name in {"skipIf", "skipUnless"} and len(args) == 2:
        text = f"pytest.mark.skipif({_condition(source, name, args['condition'])}, reason={argument(args['reason'])})"
    else:
        return None
    return mark.with_changes(decorator=cst.parse_expression(text))


def _condition(source: Source, name: str, node: cst.BaseExpression) -> str:
    """The condition as a truth value: a text would be run as code by pytest."""
    if name == "skipUnless":
        return f"not {source.operand(node)}"
    sure = isinstance(node, SURE) or code(node) in {"True", "False"}
    return argument(node) if sure else f"bool({argument(node)})"


def to_unittest(source: Source, mark: cst.Decorator) -> cst.Decorator | None:
    """unittest's decorator for a mark of pytest; None when it is none of these. Raises Left where the mark says more
    than unittest's can."""
    node = mark.decorator
    call = node if isinstance(node, cst.Call) else None
    name = source.known(call.func if call else node).removeprefix("pytest.mark.")
    if name not in {"skip", "skipif", "xfail"}:
        return None
    plain = [arg.value for arg in call.args if arg.keyword is None] if call else []
    named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None} if call else {}
    if call is not None and any(arg.star for arg in call.args):
        raise Left(f"the arguments of {name} are not spelled out", mark)
    if name == "xfail":
        if plain or set(named) - {"reason", "strict"} or "strict" not in named or code(named["strict"]) != "True":
            raise Left("xfail that is not strict, or has a condition: unittest's expectedFailure always is", mark)
        text = "unittest.expectedFailure"
    elif name == "skip":
        reason = named.get("reason", plain[0] if plain else None)
        if len(plain) > 1 or set(named) - {"reason"}:
            raise Left("skip with other arguments than a reason", mark)
        text = f"unittest.skip({argument(reason) if reason is not None else repr('')})"
    else:
        if len(plain) != 1 or set(named) != {"reason"}:
            raise Left("skipif without exactly a condition and a reason", mark)
        text = _skip_if(source, plain[0], argument(named["reason"]))
    return mark.with_changes(decorator=cst.parse_expression(text))


def _skip_if(source: Source, condition: cst.BaseExpression, reason: str) -> str:
    if isinstance(condition, cst.UnaryOperation) and isinstance(condition.operator, cst.Not):
        return f"unittest.skipUnless({argument(condition.expression)}, {reason})"
    if isinstance(condition, cst.Call) and code(condition.func) == "bool" and len(condition.args) == 1:
        return f"unittest.skipIf({argument(condition.args[0].value)}, {reason})"
    if not isinstance(condition, SURE) and code(condition) not in {"True", "False"}:
        raise Left("skipif of something that may be a text, which pytest would run as code", None)
    return f"unittest.skipIf({argument(condition)}, {reason})"
