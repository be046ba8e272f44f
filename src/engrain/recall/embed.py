"""Embedders: text to unit vectors. The packaged static one is the default; nothing ever falls back silently to another.

``static``: a table of 29,525 word pieces × 256 int8 numbers, distilled from sentence-transformers/all-MiniLM-L6-v2
(Apache-2.0) with model2vec; a text's vector is the mean of its pieces' rows (algorithm: Tulkens and van Dongen,
Model2Vec, 2024). Read by hand because importing model2vec costs 0.3 s; a test compares the two.
"""

from __future__ import annotations

import json
import re
import threading
import zlib
from functools import cache, lru_cache
from itertools import chain
from math import inf, isfinite
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from engrain.errors import ConfigError, EmbedderError, EngrainError

Floats = npt.NDArray[np.float32]
MODEL = Path(__file__).with_name("model")
_ROOM = 200_000
_ASCII = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
# Control signs, which the tokenizer drops joining what they part, and its own special words.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\[(?:UNK|PAD|CLS|SEP|MASK)\]")


@runtime_checkable
class Embedder(Protocol):
    """Anything that turns texts into vectors."""

    @property
    def name(self) -> str:
        """Identity of what it computes: vectors of two names are never compared."""
        ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: list[str], /) -> Floats:
        """float32[len(texts), dim], rows of length 1; a row of zeros for a text in which nothing is known."""
        ...


def load_embedder(spec: str) -> Embedder:
    """The embedder that a setting names: ``static``, ``hash``, ``onnx:PATH`` or ``openai:MODEL``.

    Raises ConfigError for any other name and, at first use or here, when what the name needs is missing.
    """
    kind, _, rest = spec.partition(":")
    if spec == "static":
        return packaged()
    if spec == "hash":
        return HashEmbedder()
    if kind in ("onnx", "openai") and rest:
        from engrain.recall import embed_models

        return embed_models.OnnxEmbedder(Path(rest)) if kind == "onnx" else embed_models.OpenAIEmbedder(rest)
    raise ConfigError(f"embedder must be static, hash, onnx:PATH or openai:MODEL, not {spec!r}.")


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Rows scaled to length 1 in float32; rows of zeros (or of no finite length) become zeros."""
    wide = np.asarray(vectors, dtype=np.float64)
    return _scaled(wide, _squares(wide))


def _squares(wide: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The square of each row's length: NaN or infinite if one of its numbers is, or is enormous."""
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", wide, wide)  # one pass, no array in between
    return squares


def _scaled(wide: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]) -> Floats:
    norm = np.sqrt(squares)[:, None]
    if not all(0.0 < square < inf for square in squares.tolist()):
        good = np.isfinite(norm) & (norm > 0)
        return np.where(good, wide / np.where(good, norm, 1.0), 0.0).astype(np.float32)
    return (wide / norm).astype(np.float32)


def checked(vectors: Any, texts: int, dim: int, who: str) -> Floats:
    """What an embedder from outside gave, as unit rows float32[texts, dim]. Raises EmbedderError when it is not that:
    another shape, no numbers, NaN or infinity."""
    try:
        given = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbedderError(f"{who} gave no array of numbers: {error}.") from error
    if given.shape != (texts, dim):
        raise EmbedderError(f"{who} gave numbers of shape {given.shape} where {(texts, dim)} was expected.")
    squares = _squares(given)
    if not isfinite(squares.sum()) and not np.isfinite(given).all():
        raise EmbedderError(f"{who} gave NaN or infinity among its numbers.")
    return _scaled(given, squares)


class Given:
    """An embedder that a caller passed in: what it gives is checked and scaled to unit length, and what it raises is
    told as EmbedderError."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        name, dim = (getattr(embedder, part) for part in ("name", "dim"))
        if not isinstance(name, str) or not name or not isinstance(dim, int | np.integer) or dim < 1:
            raise ConfigError(f"embedder {embedder!r} must have a name (text) and a dim (1 or more).")
        self.name, self.dim = name, int(dim)

    def embed(self, texts: list[str], /) -> Floats:
        try:
            vectors = self._embedder.embed(texts)
        except EngrainError:
            raise
        except Exception as error:  # whatever the caller's own code raises
            raise EmbedderError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        return checked(vectors, len(texts), self.dim, self.name)


class _Pieces(dict[str, list[int]]):
    """Words and their word pieces: WordPiece (Wu et al. 2016), greedy, the longest known piece first. BERT cuts every
    word by itself, so a word is cut once."""

    def __init__(self, vocabulary: dict[str, int], model: dict[str, Any]) -> None:
        super().__init__()
        self._known = vocabulary
        self._prefix: str = model["continuing_subword_prefix"]
        self._longest: int = model["max_input_chars_per_word"]
        self._unknown = [vocabulary[model["unk_token"]]]

    def __missing__(self, word: str) -> list[int]:
        ids = self._cut(word)
        if len(word) <= 64:
            if len(self) >= _ROOM:
                self.clear()
            self[word] = ids
        return ids

    def _cut(self, word: str) -> list[int]:
        if len(word) > self._longest:
            return self._unknown
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = self._prefix if start else ""
            for end in range(len(word), start, -1):
                found = self._known.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return self._unknown  # a word that cannot be cut to its end is unknown as a whole
            ids.append(found)
            start = end
        return ids


class _Model:
    """What is read from the model's folder at first use. The tokenizer itself, 40 ms to import and read, only when a
    text is not ASCII."""

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._tokenizer: Any = None
        self._characters: int | None = None
        self.table = _safetensors_rows(folder / "model.safetensors", dim)
        told = json.loads((folder / "tokenizer.json").read_bytes())["model"]
        self._vocabulary: dict[str, int] = told["vocab"]
        self.most = int(json.loads((folder / "config.json").read_bytes())["max_length"])
        self.unknown = self._vocabulary[told["unk_token"]]
        self.pieces = _Pieces(self._vocabulary, told)

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:  # two threads may both load it: the same one, and no lock for a fork to find held
            try:
                self._tokenizer = load_tokenizer(self._folder / "tokenizer.json")
            except Exception as error:  # tokenizers raises a bare Exception for a file that it cannot read
                raise _unreadable(self._folder, error) from error
        return self._tokenizer

    def ids(self, text: str) -> list[int]:
        """Known word pieces of the first ``most``. model2vec cuts the characters first, then the pieces, and drops the
        unknown ones last."""
        if len(text) > self.most:
            if self._characters is None:
                lengths = sorted(map(len, self._vocabulary))
                self._characters = self.most * lengths[len(lengths) // 2]
            text = text[: self._characters]
        cut = self.cut(text)[: self.most]
        return [piece for piece in cut if piece != self.unknown] if self.unknown in cut else cut

    def cut(self, text: str) -> list[int]:
        """All word pieces. ASCII text takes the short way, which splits as BERT does: runs of letters and digits, each
        other sign alone (3 to 5 times faster than the tokenizer; equality is tested)."""
        if text.isascii() and not _CONTROL.search(text):
            return list(chain.from_iterable(map(self.pieces.__getitem__, _ASCII.findall(text.lower()))))
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _unreadable(folder: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"The packaged model in {folder} cannot be read ({error}); reinstall engrain, or set embedder to hash."
    )


class StaticEmbedder:
    """The packaged model. Nothing is read before the first text; safe to share between threads."""

    name = "static:all-MiniLM-L6-v2/256/int8/1"
    dim = 256

    def __init__(self, folder: Path = MODEL) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: _Model | None = None

    def _model(self) -> _Model:
        with self._lock:
            if self._loaded is None:
                try:
                    self._loaded = _Model(self._folder, self.dim)
                except (OSError, ValueError, LookupError, TypeError) as error:
                    raise _unreadable(self._folder, error) from error
            return self._loaded

    def embed(self, texts: list[str], /) -> Floats:
        """float32[n, 256]. Of a text only the first 512 pieces count, as in model2vec."""
        model = self._loaded or self._model()
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            ids = model.ids(text)
            if ids:  # sums of integers are exact in float32, so a vector does not depend on the order of its words
                out[row] = model.table.take(ids, axis=0).sum(axis=0, dtype=np.int32)
        return unit(out)

    def count(self, text: str) -> int:
        """How many pieces the text has: the measure of a context's budget."""
        return len((self._loaded or self._model()).cut(text))


@cache
def packaged() -> StaticEmbedder:
    """The one packaged embedder of this process: it is read once, whoever asks."""
    return StaticEmbedder()


def load_tokenizer(path: Path) -> Any:
    """A tokenizer file, without padding and truncation. Imported here: the import costs 30 ms."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _safetensors_rows(path: Path, dim: int) -> npt.NDArray[np.int8]:
    """The tensor ``embeddings`` of a safetensors file, mapped, not read: 8 bytes of header length, JSON, the rows."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))["embeddings"]
    if header["dtype"] != "I8" or header["shape"][1] != dim:
        raise ValueError(f"expected int8 rows of {dim}, found {header['dtype']} {header['shape']}")
    return np.memmap(
        path, dtype=np.int8, mode="r", offset=8 + length + header["data_offsets"][0], shape=tuple(header["shape"])
    )


class HashEmbedder:
    """No model: hashed words and their character 3- to 5-grams, signed (feature hashing, Weinberger et al. 2009)."""

    name = "hash:word+char3-5/512/1"
    dim = 512

    def embed(self, texts: list[str], /) -> Floats:
        """float32[n, 512]. Near for texts that share words or parts of words; knows no meaning."""
        from engrain.recall.analyze import words

        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                places, signs = _hashed(word)
                np.add.at(out[row], places, signs)
        return unit(out)


@lru_cache(maxsize=65536)
def _hashed(word: str) -> tuple[npt.NDArray[np.int64], Floats]:
    framed = f" {word[:64]} "
    grams = [framed[i : i + n] for n in (3, 4, 5) for i in range(len(framed) - n + 1)]
    hashes = np.array([zlib.crc32(part.encode("utf-8", "surrogatepass")) for part in [word, *grams]], dtype=np.int64)
    weights = np.array([1.0] + [0.6 / max(1.0, len(grams) ** 0.5)] * len(grams), dtype=np.float32)
    return hashes % HashEmbedder.dim, np.where(hashes >> 31 & 1, weights, -weights).astype(np.float32)
