"""Text to terms: what must be found by what."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engrain.recall.analyze import analyze, terms, words


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Running the uploads", "upload run"),
        ("call snake_case_name here", "snake_case_name"),
        ("call snake_case_name here", "case"),
        ("class HttpRequestParser", "request"),
        ("class HttpRequestParser", "httprequestparser"),
        ("see src/engrain/recall.py", "src/engrain/recall.py"),
        ("see src/engrain/recall.py", "recall"),
        ("failed with E-404", "e-404"),
        ("it cost 1,000 dollars", "1000"),
        ("on 2023-05-08", "2023-05-08"),
        ("on 2023-05-08", "May 8 2023 8"),
        ("Caroline's book", "caroline"),
        ("a trip in May", "May"),
        ("STRASSE", "straße"),
        ("ｆｕｌｌ width", "full"),  # NFKC
        ("cafe\u0301", "caf\u00e9"),
        ("東京都に住む", "東京"),
    ],
)
def test_a_text_is_found_by(text: str, question: str) -> None:
    assert set(analyze(text)) & set(analyze(question))


@pytest.mark.parametrize(
    ("text", "question"), [("may I", "May"), ("don't", "don"), ("the of and", "the"), ("E-404", "405")]
)
def test_a_text_is_not_found_by(text: str, question: str) -> None:
    assert not set(analyze(text)) & set(analyze(question))


def test_the_whole_of_an_identifier_is_kept_beside_its_parts() -> None:
    assert terms("readHTTPHeader") == ["read", "http", "header", *terms("readhttpheader")]
    assert terms("ERR_CONN_RESET") == ["err", "conn", "reset", "err_conn_reset"]


def test_hashes_are_the_same_in_every_process() -> None:
    text = "The quick brown fox, naïve 東京 snake_case 2023-05-08"
    code = f"from engrain.recall.analyze import analyze; print(analyze({text!r}))"
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        assert ran.stdout.strip() == str(analyze(text))


def test_words_keep_identifiers_and_drop_words_of_grammar() -> None:
    assert list(words("The snake_case of E-404")) == ["snake_case", "e-404"]
