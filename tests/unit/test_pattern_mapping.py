"""Templates in another framework: what they say is proved by running them, and what cannot be said is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import types
import unittest
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.errors import EngrainError, TranslationRefused
from engrain.patterns.mapping.placeholders import fill, names_in, parameterise
from engrain.patterns.mapping.table import MAPPINGS, translate

SAID = Path(__file__).parents[1] / "translations"
UNITTEST, PYTEST, JEST, VITEST = (
    (SAID / f"said_in_{name}.txt").read_text() for name in ("unittest", "pytest", "jest", "vitest")
)
Verdicts = Mapping[str, str]


def by_unittest(source: str) -> Verdicts:
    """What unittest says of each test of a module, by its name."""
    module = types.ModuleType("sample")
    exec(compile(source, "sample", "exec"), module.__dict__)
    result = unittest.TestResult()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    told = {test.id().split(".")[-1]: "passed" for group in suite for test in group}  # type: ignore[union-attr]
    suite.run(result)
    bad = [*result.failures, *result.errors, *((test, "") for test in result.unexpectedSuccesses)]
    for outcome, tests in (("skipped", result.skipped), ("xfailed", result.expectedFailures), ("failed", bad)):
        for test, _ in tests:
            told[getattr(test, "test_case", test).id().split(".")[-1]] = outcome
    return told


def by_pytest(folder: Path, sources: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What pytest says of each test of some modules, by module and name."""
    for name, source in sources.items():
        (folder / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c",
               os.devnull, "--rootdir", str(folder), "--junitxml", "told.xml"]  # fmt: skip
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=folder, check=False, capture_output=True, env=alone)
    told: dict[str, dict[str, str]] = {name: {} for name in sources}
    for case in ET.parse(folder / "told.xml").iter("testcase"):
        module = case.get("classname", "").split(".")[0].removeprefix("test_")
        name = re.split(r"[\[ (]", case.get("name", ""))[0]
        found = {part.tag: part.get("type", "") for part in case}
        outcome = "failed" if found.keys() & {"failure", "error"} else "passed"
        if "skipped" in found:
            outcome = "xfailed" if found["skipped"] == "pytest.xfail" else "skipped"
        if told[module].get(name) != "failed":
            told[module][name] = outcome
    return told


def test_a_translated_test_comes_to_the_same_verdict(tmp_path: Path) -> None:
    """Unittest's in pytest and back, pytest's in unittest and back: each test passes, fails, is skipped as it was."""
    first = translate(UNITTEST, "unittest", "pytest")
    back = translate(PYTEST, "pytest", "unittest")
    again = translate(back.text, "unittest", "pytest")
    told = by_pytest(tmp_path, {"first": first.text, "said": PYTEST, "again": again.text})
    wanted = by_unittest(UNITTEST)
    assert set(wanted.values()) == {"passed", "failed", "skipped", "xfailed"}
    assert told["first"] == wanted
    assert by_unittest(back.text) == told["said"] == told["again"]
    assert set(told["said"].values()) == {"passed", "failed", "skipped", "xfailed"}
    left = [note for note in first.notes if "left as unittest" in note.text]
    assert [note.text.split()[0] for note in left] == ["Inherits", "Identity"], "pytest runs them as they are"
    assert all(UNITTEST.splitlines()[note.line - 1].strip() for note in first.notes if note.line)
    for gone in ("self.assertEqual(1,", "class Base(unittest", "cm.exception"):
        assert gone in UNITTEST
        assert gone not in first.text
    assert "pytest" not in back.text


ROUND = """import unittest


class Test{{Name}}(unittest.TestCase):
    def setUp(self):
        self.thing = {{module}}.make({{arguments}})

    def test_{{name}}(self):
        self.assertEqual(self.thing.{{attribute}}, {{expected}}, "{{why}}")
        self.assertFalse({{flag}})
        with self.assertRaises({{Error}}) as caught:
            self.thing.run(["{{text}}"])
        self.assertIn("x", str(caught.exception))
"""


def test_placeholders_survive_and_stay_whole() -> None:
    made = translate(ROUND, "unittest", "pytest")
    assert names_in(made.text) == names_in(ROUND)
    assert 'assert self.thing.{{attribute}} == ({{expected}}), "{{why}}"' in made.text, "it may be filled with `a or b`"
    assert "assert not ({{flag}})" in made.text
    assert translate(made.text, "pytest", "unittest").text == ROUND
    assert fill(made.text, {"flag": "a or b"}).count("not (a or b)") == 1
    loose = translate("self.assertTrue({{ x }})\nself.assertIsNone(y)\n", "unittest", "pytest")
    assert loose.text == "assert {{ x }}\nassert y is None\n", "lines of a method, without their class"
    fenced = "Do so:\n\n```python\nassert a == b\n```\n\nand `assert` no more.\n"
    assert translate(fenced, "pytest", "unittest").text == fenced.replace("assert a == b", "self.assertEqual(a, b)")
    said = "import billing.core\nbilling.core.total({{total}}); x = 'src/billing/core.py'; rebilling.core"
    words = {"billing.core": "module", "src/billing/core.py": "path", "total": "name"}
    assert parameterise(said, words) == (
        "import {{module}}\n{{module}}.total({{total}}); x = '{{path}}'; rebilling.core"
    )


REFUSED = {
    ("pytest", "unittest"): {
        "def test_a(capsys):\n    assert capsys\n": "capsys is not in the template",
        "import pytest\n@pytest.fixture(scope='module')\ndef a():\n    return []\ndef test_a(a):\n    a\n": "scope",
        "import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert 0\n": "not strict",
        "import pytest\n@pytest.mark.skipif('1 > 0', reason='x')\ndef test_a():\n    assert 0\n": "run as code",
        "async def test_a():\n    assert 1\n": "asynchronous",
        "import pytest\n@pytest.mark.slow\ndef test_a():\n    assert 1\n": "pytest.mark.slow",
        "import pytest\n@pytest.mark.parametrize('n', [1])\ndef test_a(n):\n    return\n": "returns early",
        "import pytest\ndef test_a():\n    try:\n        pytest.skip('x')\n    except E:\n        0\n": "inside try",
        "import pytest\ndef test_a():\n    with pytest.raises(E) as e:\n        f()\n    print(e)\n": "handed on",
        "import pytest\ndef test_a():\n    assert [1.0] == pytest.approx([1.0])\n": "several numbers",
        "x = 1\n": "nothing of pytest",
    },
    ("unittest", "pytest"): {
        "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        check(self)\n": "handed on",
        "self.assertTrue(*x)\n": "unpacked",
        "def f(:\n": "not Python",
        "-" * 190 + "1": "not Python|too deeply",
        "x" + ".x" * 9000: "not Python|too deeply",
        "a\x00b": "control",
        "x = 1\n": "nothing of unittest",
    },
    ("jest", "vitest"): {
        "test('a', (done) => { jest.fn(); done(); });": "done",
        "jest.retryTimes(3);": "retryTimes",
        "jest.useFakeTimers({ legacyFakeTimers: true });": "settings",
        "function f() { return jest.requireActual('./a'); }": "cannot wait",
        "import a from './a';\njest.mock('./a', () => ({ b: jest.fn() }));": "without default",
        "jest.mock('./a', () => jest.fn());": "object written there",
        "const { jest } = require('@jest/globals');": "jest",
        "use(jest);": "handed on",
        "const vi = 6; jest.fn();": "a name of its own",
        "const = ;": "neither",
        "let x = 1;": "nothing of jest",
    },
    ("vitest", "jest"): {
        "import { vi } from 'vitest';\nconst m = vi.hoisted(() => 1);": "hoisted",
        "import { test } from 'vitest';\ntest('a', { retry: 2 }, () => {});": "options",
        "import { expect } from 'vitest';\nexpect.soft(1).toBe(1);": "soft",
        "import { expect } from 'vitest';\nexpect(1).toSatisfy(f);": "toSatisfy",
        "import { beforeEach } from 'vitest';\nbeforeEach(() => () => stop());": "afterwards",
        "import { vi } from 'vitest';\nvi.mock('./a', async () => { await b(); return { c: 1 }; });": "waits",
    },
}  # fmt: skip


def test_what_has_no_equal_is_refused_and_says_why() -> None:
    for (source, target), cases in REFUSED.items():
        for text, why in cases.items():
            with pytest.raises(TranslationRefused, match=why if "|" in why else re.escape(why)):
                translate(text, source, target)
    with pytest.raises(TranslationRefused, match="there is: unittest to pytest"):
        translate("x", None, "mocha")
    with pytest.raises(TranslationRefused, match="at most"):
        translate("x" * 200_000, "jest", "vitest")


def test_scripts_say_what_they_said() -> None:
    """Both samples were run by jest 30 and vitest 4 with equal verdicts; the slow test does so again."""
    assert translate(JEST, "jest", "vitest").text == VITEST
    back = translate(VITEST, "vitest", "jest").text
    assert translate(back, "jest", "vitest").text == VITEST
    for said in ("jest.requireActual('./dep.js')", "from '@jest/globals'", "jest.setTimeout(5000)", "test.failing("):
        assert said in back
    typed = "let a: jest.Mocked<typeof b>;\nconst c = jest.fn() as jest.Mock;\nexpect({{x}}).toBe(1);\n"
    made = translate(typed, "jest", "vitest").text
    assert made.splitlines()[0] == "import { expect, vi, type Mock, type Mocked } from 'vitest';"
    assert "as Mock;" in made
    assert "expect({{x}})" in made


@pytest.mark.slow
def test_scripts_come_to_the_same_verdicts(tmp_path: Path) -> None:
    """Needs a folder with node_modules of jest, babel-jest, @babel/preset-env and vitest, named by ENGRAIN_JS."""
    folder = os.environ.get("ENGRAIN_JS")
    if not folder or shutil.which("npx") is None:
        pytest.skip("ENGRAIN_JS names no folder with jest and vitest")
    (tmp_path / "node_modules").symlink_to(Path(folder) / "node_modules")
    (tmp_path / "babel.config.js").write_text(
        'module.exports = {presets: [["@babel/preset-env", {targets: {node: "current"}}]]}'
    )
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "dep.js").write_text((SAID / "dep.txt").read_text())
    back = translate(VITEST, "vitest", "jest").text
    (tmp_path / "back.jest.test.js").write_text(back)
    (tmp_path / "said.vi.test.js").write_text(VITEST)
    told = []
    jest, vitest = ["jest", "--verbose", "back.jest"], ["vitest", "run", "--reporter=verbose", "said.vi"]
    for command in (["npx", *jest], ["npx", *vitest]):
        environment = {**os.environ, "CI": "1"}
        run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=environment)
        text = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr)
        lines = re.findall(r"^\s*([✓✕×]) (.+)$", text, re.MULTILINE)
        names = [re.sub(r"\s+\(?\d+ ?ms\)?$", "", line).split(" > ")[-1].strip() for _, line in lines]
        told.append({name: mark == "✓" for name, (mark, _) in zip(names, lines, strict=True)})
    assert told[0] == told[1]
    assert told[0]["wrong"] is False
    assert sum(told[0].values()) == 6


TOKENS = {
    source: re.findall(r"\w+|\s+|[^\w\s]", text)
    for source, text in {"unittest": UNITTEST, "pytest": PYTEST, "jest": JEST, "vitest": VITEST}.items()
}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_text_breaks_out_of_the_errors(data: st.DataObject) -> None:
    """Any text, and pieces of real ones with words exchanged: a translation or an error of ours."""
    row = data.draw(st.sampled_from(MAPPINGS))
    words = list(TOKENS[row.source])
    start = data.draw(st.integers(0, len(words) - 1))
    some = words[start : start + data.draw(st.integers(1, 300))]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(some) - 1))
        some[place] = data.draw(st.sampled_from(words) | st.text(max_size=5) | st.just("{{x}}"))
    for text in ("".join(some), data.draw(st.text())):
        try:
            made = translate(text, row.source, row.target)
        except EngrainError:
            continue
        assert set(names_in(made.text)) <= set(names_in(text))
