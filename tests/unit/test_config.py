"""Settings: defaults < engrain.toml < ENGRAIN_* < arguments; a typo is an error and never a default."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.config import Config, load
from engrain.errors import ConfigError


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
