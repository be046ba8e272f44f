"""Settings: defaults < engrain.toml < ENGRAIN_* < arguments; a typo is an error and never a default."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engrain
from engrain.config import MOST_DISCOUNT, Config, discount_of, load
from engrain.errors import ConfigError
from engrain.world import span_of


def from_file(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **given: Any) -> Config:
    (tmp_path / "engrain.toml").write_text(text, encoding="utf-8")
    return load(tmp_path, given, environ or {})


def test_nothing_given_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, {}, {}) == load(None, {}, {}) == Config()


def test_the_later_source_wins(tmp_path: Path) -> None:
    text = 'embedder = "file"\necho_minutes = 1\ncache_rows = 5000\n'
    assert from_file(tmp_path, text).echo_minutes == 1.0
    found = from_file(tmp_path, text, {"ENGRAIN_EMBEDDER": "env", "ENGRAIN_CACHE_ROWS": "6000"}, embedder="argument")
    assert (found.embedder, found.cache_rows, found.echo_minutes) == ("argument", 6000, 1.0)
    assert from_file(tmp_path, text, {"ENGRAIN_EMBEDDER": "env"}, embedder=None).embedder == "env", "None is not given"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("redact", "false", False), ("redact", "0", False), ("redact", "NO", False), ("redact", "On", True),
        ("echo_minutes", "2.5", 2.5), ("cache_rows", "2000", 2000), ("kinds", "decision, risk,", ("decision", "risk")),
        ("synchronous", "normal", "NORMAL"), ("exploration", "ucb", "ucb"), ("explore_floor", "0", 0.0),
        ("every_expire", "90m", "90m"), ("every_prune", "1.5d", "1.5d"), ("alert_items", "5", 5),
    ],
)  # fmt: skip
def test_variables_are_read_as_what_they_are(name: str, text: str, value: object) -> None:
    assert getattr(load(None, {}, {f"ENGRAIN_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redact", "maybe"), ("redact", 1), ("echo_minutes", "soon"), ("echo_minutes", True), ("echo_minutes", -1.0),
        ("echo_minutes", float("nan")), ("busy_seconds", 1e9), ("cache_rows", 10), ("cache_rows", 2000.5),
        ("cache_rows", "many"), ("kinds", "decision"), ("kinds", ["ok", ""]), ("kinds", [1]), ("synchronous", "OFF"),
        ("exploration", "random"), ("explore_floor", 1.5), ("embedder", 7), ("embeder", "static"),
        ("every_decay", "daily"), ("every_decay", ""), ("every_decay", "0d"), ("every_decay", "59s"),
        ("every_decay", 86400), ("every_decay", "9" * 400 + "w"), ("alert_items", 0),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        load(None, {name: value}, {})
    with pytest.raises(ConfigError, match=name):
        engrain.open(tmp_path / "home", **{name: value})
    assert not (tmp_path / "home").exists(), "a home is not made with settings that are wrong"


@pytest.mark.parametrize(
    ("text", "words"),
    [("embeder = 'x'", "embeder"), ("redact = 'yes'", "redact"), ("a = ", "engrain.toml"), ("kinds = 'x'", "kinds")],
)
def test_a_wrong_file_is_refused_by_its_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        from_file(tmp_path, text)
    assert "engrain.toml" in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engrain.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"engrain\.toml"):
        load(tmp_path, {}, {})


def test_a_variable_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENGRAIN_CACHE_ROWS", "lots")
    with pytest.raises(ConfigError, match="ENGRAIN_CACHE_ROWS"):
        engrain.open(tmp_path / "home")


def test_every_setting_says_what_it_is_and_checks_its_type() -> None:
    for one in fields(Config):
        assert one.metadata["help"]
        with pytest.raises(ConfigError, match=one.name):
            load(None, {one.name: object()}, {})


def test_more_kinds_come_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "engrain.toml").write_text('kinds = ["decision"]\nembedder = "hash"', encoding="utf-8")
    with engrain.open(tmp_path) as memory:
        assert memory.agent("a").remember("we ship on Monday", kind="decision").kind == "decision"
        assert memory.agent("a").recall("ship", kinds=["decision"])


def test_where_it_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with engrain.open(embedder="hash") as memory:
        assert memory.home == Path(".engrain")
    assert (tmp_path / ".engrain" / "engrain.db").exists()
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "elsewhere"))
    with engrain.open(embedder="hash") as memory:
        assert memory.home == tmp_path / "elsewhere"
    with pytest.raises(ConfigError, match="mysql"):
        engrain.open("mysql://somewhere/x")
    with pytest.raises(ConfigError, match="home="):
        engrain.open(tmp_path / "one", home=tmp_path / "two")


@given(st.text(max_size=12) | st.from_regex(r"\A\s?\d{1,6}(\.\d{1,3})?[smhdwx]\s?\Z"))
def test_a_span_is_a_number_and_a_unit_and_nothing_else(text: str) -> None:
    found = span_of(text)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    assert (found is None) == (match is None)
    if found is not None and match is not None:
        seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[match[2]]
        assert found == pytest.approx(seconds * 1e6, abs=1)


@pytest.mark.parametrize("text", ["1" * 5000 + "w", "9" * 400 + ".5d"])
def test_a_span_without_end_is_no_fault(text: str) -> None:
    assert span_of(text) == 1 << 62


def test_a_task_type_may_have_a_discount_of_its_own(tmp_path: Path) -> None:
    text = 'discount = 0.9\ndiscounts = ["deploy=0.99", "a=b=0", "deploy = 0.5"]\n'
    config = from_file(tmp_path, text)
    assert [discount_of(config, one) for one in ("deploy", "a=b", "other")] == [0.5, 0.0, 0.9]
    config = from_file(tmp_path, text, {"ENGRAIN_DISCOUNTS": "other=0.25", "ENGRAIN_DISCOUNT": "0"})
    assert [discount_of(config, one) for one in ("deploy", "other")] == [0.0, 0.25]
    assert discount_of(Config(), "any") == 0.95


@pytest.mark.parametrize("part", ["deploy", "=0.5", " =0.5", "deploy=", "deploy=1", "deploy=-0.1", "deploy=nan", "x=y"])
def test_a_discount_that_is_none_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(ConfigError, match="TASK=NUMBER"):
        from_file(tmp_path, f"discounts = ['{part}']\n")


@given(st.floats(allow_nan=True))
def test_a_discount_outside_of_its_range_is_refused(number: float) -> None:
    if 0.0 <= number <= MOST_DISCOUNT:
        assert load(None, {"discount": number}, {}).discount == number
    else:
        with pytest.raises(ConfigError, match="discount must lie in"):
            load(None, {"discount": number}, {})
