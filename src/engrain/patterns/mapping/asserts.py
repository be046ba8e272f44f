"""What each check of unittest says as a plain assert, as data for both directions.

A check that stands in none of these tables is not translated.
"""

from __future__ import annotations

import inspect
import unittest

OPERATORS = {
    "assertEqual": "==",
    "assertNotEqual": "!=",
    "assertIs": "is",
    "assertIsNot": "is not",
    "assertIn": "in",
    "assertNotIn": "not in",
    "assertGreater": ">",
    "assertGreaterEqual": ">=",
    "assertLess": "<",
    "assertLessEqual": "<=",
}
"""Checks of two values that are one comparison."""

CALLS = {
    "assertTrue": "{0}",
    "assertFalse": "not {o0}",
    "assertIsNone": "{o0} is None",
    "assertIsNotNone": "{o0} is not None",
    "assertIsInstance": "isinstance({0}, {1})",
    "assertNotIsInstance": "not isinstance({0}, {1})",
    "assertRegex": "re.search({1}, {0})",
    "assertNotRegex": "not re.search({1}, {0})",
}
"""Checks that are another sentence: ``{0}`` is an argument, ``{o0}`` an operand."""

SAME_TYPE = {
    "assertListEqual": ("a list", "List"),
    "assertTupleEqual": ("a tuple", "Tuple"),
    "assertDictEqual": ("a dict", "Dict"),
    "assertSetEqual": ("a set", "Set"),
    "assertMultiLineEqual": ("a string", "SimpleString"),
}
"""Checks that are ``==`` and look at the type as well, with the literal that makes the type sure."""

OLD_NAMES = {
    "assert_": "assertTrue",
    "assertEquals": "assertEqual",
    "assertNotEquals": "assertNotEqual",
    "assertAlmostEquals": "assertAlmostEqual",
    "assertNotAlmostEquals": "assertNotAlmostEqual",
    "assertRegexpMatches": "assertRegex",
    "assertNotRegexpMatches": "assertNotRegex",
    "assertRaisesRegexp": "assertRaisesRegex",
}
"""Names that Python 3.12 took away, and their heirs."""

KEPT = frozenset({"assertCountEqual", "assertSequenceEqual", "assertLogs", "assertNoLogs"})
"""Checks without an equal in pytest: they stay unittest's own, on a TestCase made for it."""

API = frozenset(name for name in dir(unittest.TestCase) if not name.startswith("__")) | set(OLD_NAMES) | {
    "_testMethodName", "_testMethodDoc", "assertHasAttr", "assertNotHasAttr", "assertStartsWith", "assertEndsWith",
    "assertNotStartsWith", "assertNotEndsWith", "assertIsSubclass", "assertNotIsSubclass",
}  # fmt: skip
"""Every name that a test inherits from TestCase, in this Python and in later ones."""


def signature(name: str) -> inspect.Signature:
    """The parameters of one of unittest's checks, ``self`` apart."""
    whole = inspect.signature(getattr(unittest.TestCase, name))
    return whole.replace(parameters=[one for one in whole.parameters.values() if one.name != "self"])
