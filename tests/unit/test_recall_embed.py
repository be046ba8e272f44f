"""Embedders: the packaged one equals its reference; the others say clearly what they lack."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engrain.errors import ConfigError, EmbedderError
from engrain.recall.embed import MODEL, Embedder, Given, HashEmbedder, StaticEmbedder, load_embedder

PARTS = [
    "Retry the upload",
    "naïve café",
    "東京都 2023",
    "E-404 (timeout)",
    "x" * 300,
    "don't",
    "a\x00b",
    "\U0001f600",
    "under_score",
    "[UNK]",
]


def texts(count: int) -> list[str]:
    rng = np.random.default_rng(7)
    vocabulary = json.loads((MODEL / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    pool = [*list(vocabulary)[2000:6000], *PARTS]
    made = [" ".join(rng.choice(pool, rng.integers(1, 60))) for _ in range(count - 3)]
    return ["", "word " * 2000, *made, "[MASK] in a sentence"]


def test_the_packaged_model_is_what_model2vec_makes_of_it() -> None:
    from model2vec import StaticModel

    many = texts(500)
    reference = StaticModel.from_pretrained(str(MODEL)).encode(many)
    assert np.abs(StaticEmbedder().embed(many) - reference).max() < 1e-3


def test_vectors_have_length_one_or_zero_and_do_not_depend_on_their_batch() -> None:
    embedder = StaticEmbedder()
    many = texts(100)
    together = embedder.embed(many)
    assert together.shape == (100, 256)
    assert together.dtype == np.float32
    lengths = np.linalg.norm(together, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    assert lengths[0] == 0
    assert all(np.array_equal(embedder.embed([text])[0], row) for text, row in zip(many, together, strict=True))


def test_the_hashing_embedder_is_near_for_like_words_only() -> None:
    likeness = HashEmbedder().embed(["the cat sat down", "a cat sitting", "stock market"])
    assert likeness[0] @ likeness[1] > 0.3 > likeness[0] @ likeness[2]


def test_threads_may_share_an_embedder() -> None:
    many = texts(50)
    expected = StaticEmbedder().embed(many)
    fresh = StaticEmbedder()
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(found, expected) for found in pool.map(lambda _: fresh.embed(many), range(16)))


def test_every_known_word_is_cut_as_the_tokenizer_cuts_it() -> None:
    model = StaticEmbedder()._model()
    known = [word.removeprefix("##") for word in model._vocabulary if word.isascii() and not word.startswith("[")]
    rng = np.random.default_rng(5)
    joined = ["".join(known[n] for n in rng.integers(0, len(known), rng.integers(2, 6))) for _ in range(8_000)]
    letters = [bytes(rng.integers(33, 127, rng.integers(1, 120), dtype=np.uint8)).decode() for _ in range(2_000)]
    for words in (known, joined, letters, ["x" * 100, "x" * 101, "x" * 70]):
        long = model.tokenizer.encode_batch(words, add_special_tokens=False)
        assert all(model.cut(word) == cut.ids for word, cut in zip(words, long, strict=True))


def test_tokenizers_is_imported_for_what_is_not_ascii_only() -> None:
    code = """
        import sys
        from engrain.recall.embed import packaged
        for text in (sys.argv[1], sys.argv[2]):
            packaged().embed([text])
            packaged().count(text)
            print("tokenizers" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), "E-404: what's unforeseeably [wrong]? " * 99, "café"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == ["False", "True"]


@pytest.mark.parametrize("spec", ["", "statik", "onnx:", "openai:", "onnx:/no/such/model.onnx"])
def test_a_name_that_cannot_be_had_is_a_config_error(spec: str) -> None:
    with pytest.raises(ConfigError):
        load_embedder(spec)


def test_the_key_of_openai_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ENGRAIN_OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        load_embedder("openai:text-embedding-3-small")


class Endpoint(http.server.BaseHTTPRequestHandler):
    """An endpoint that speaks the protocol: vectors of three numbers, rows in reverse, and one refusal."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = "forbidden" in asked["input"]
        rows = [{"index": n, "embedding": [len(text), 1.0, 0.0]} for n, text in enumerate(asked["input"])]
        body = json.dumps({"error": "no such model"} if refused else {"data": rows[::-1]}).encode()
        self.send_response(404 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("ENGRAIN_OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield load_embedder("openai:tiny")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_compatible_endpoint_is_read_in_order(remote: Embedder) -> None:
    vectors = remote.embed(["ab", "abcd"])
    assert remote.dim == 3
    assert vectors == pytest.approx(np.array([[2, 1, 0] / np.sqrt(5), [4, 1, 0] / np.sqrt(17)]), abs=1e-6)


def test_what_an_endpoint_refuses_is_an_error_that_quotes_it(remote: Embedder) -> None:
    with pytest.raises(EmbedderError, match=r"404.*no such model"):
        remote.embed(["forbidden"])


def test_an_endpoint_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAIN_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(EmbedderError):
        load_embedder("openai:tiny").embed(["text"])


class Own:
    """An embedder as a caller may bring it: numbers of any kind and length, as plain lists."""

    def __init__(self, answer: Any, name: Any = "own", dim: Any = 2) -> None:
        self.answer, self.name, self.dim = answer, name, dim

    def embed(self, texts: list[str], /) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_a_caller_s_embedder_gives_is_scaled_to_length_one() -> None:
    found = Given(Own([[3, 4], [0, 0]])).embed(["a", "b"])
    assert found.dtype == np.float32
    assert found.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([[1.0, float("nan")]], "NaN"),
        ([[1.0, float("inf")]], "infinity"),
        ([[1.0, 2.0, 3.0]], r"\(1, 3\).*\(1, 2\)"),
        ([[1.0, 2.0]] * 2, r"\(2, 2\).*\(1, 2\)"),
        ([1.0, 2.0], r"\(2,\)"),
        ([["a", "b"]], "no array of numbers"),
        (None, "shape"),
        (TimeoutError("30 s"), "own failed: TimeoutError: 30 s"),
    ],
)
def test_what_is_no_unit_vector_per_text_is_an_error_that_says_so(answer: Any, told: str) -> None:
    with pytest.raises(EmbedderError, match=told):
        Given(Own(answer)).embed(["a"])


@pytest.mark.parametrize(("name", "dim"), [("", 2), (None, 2), ("own", 0), ("own", None), ("own", "2")])
def test_an_embedder_needs_a_name_and_a_dimension(name: Any, dim: Any) -> None:
    with pytest.raises(ConfigError, match="name"):
        Given(Own([], name, dim))


def test_a_damaged_model_says_what_to_do(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_bytes(b"\x05\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(ConfigError, match="reinstall"):
        StaticEmbedder(folder).embed(["text"])
