"""Embedders that need something from outside: an ONNX file with onnxruntime, or an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from engrain.errors import ConfigError, EmbedderError
from engrain.recall.embed import Floats, checked, load_tokenizer

_BATCH = 64
_SECONDS = 60.0


class OnnxEmbedder:
    """A sentence-transformers model exported to ONNX: mean of the token vectors, then unit length.

    ``path`` is the .onnx file or its folder (model.onnx); tokenizer.json lies beside it or one folder up.
    """

    def __init__(self, path: Path) -> None:
        file = path / "model.onnx" if path.is_dir() else path
        beside = [folder / "tokenizer.json" for folder in (file.parent, file.parent.parent)]
        tokenizer = next((candidate for candidate in beside if candidate.is_file()), None)
        if not file.is_file() or tokenizer is None:
            raise ConfigError(f"embedder onnx:{path}: need {file} and a tokenizer.json beside it or one folder up.")
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError(f"embedder onnx:{path} needs onnxruntime: pip install onnxruntime.") from error
        try:
            self._session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
            self._tokenizer = load_tokenizer(tokenizer)
        except Exception as error:  # onnxruntime and tokenizers raise their own unrelated classes
            raise ConfigError(f"embedder onnx:{path} cannot be loaded: {error}") from error
        self._tokenizer.enable_truncation(512)
        self._inputs = {one.name for one in self._session.get_inputs()}
        # Two models of one name must not pass for each other: all bytes count (about 1 ms a megabyte).
        self.name = f"onnx:{file.parent.name}/{file.name}/{zlib.crc32(file.read_bytes()):08x}"
        self.dim = int(self._vectors(["dimension"]).shape[1])

    def embed(self, texts: list[str], /) -> Floats:
        """float32[n, dim], of the first 512 tokens of each text."""
        parts = [self._vectors(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        out = np.concatenate(parts) if parts else np.zeros((0, self.dim), dtype=np.float32)
        return checked(out, len(texts), self.dim, self.name)

    def _vectors(self, texts: list[str]) -> Floats:
        encoded = [self._tokenizer.encode(text) for text in texts]
        width = max(1, *(len(one.ids) for one in encoded))
        ids, mask = np.zeros((len(texts), width), np.int64), np.zeros((len(texts), width), np.int64)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        try:
            states = self._session.run(None, {name: feed[name] for name in self._inputs})[0]
        except Exception as error:  # see above
            raise EmbedderError(f"{error}") from error
        if states.ndim == 2:  # the model pools by itself
            return np.asarray(states, dtype=np.float32)
        weights = mask[:, :, None].astype(np.float32)
        return np.asarray((states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0), dtype=np.float32)


class OpenAIEmbedder:
    """An OpenAI-compatible ``/embeddings`` endpoint at ENGRAIN_OPENAI_BASE_URL (default api.openai.com), with
    OPENAI_API_KEY."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._url = os.environ.get("ENGRAIN_OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/") + "/embeddings"
        self._key = os.environ.get("OPENAI_API_KEY", "")
        if not self._url.startswith(("https://", "http://")):
            raise ConfigError(f"ENGRAIN_OPENAI_BASE_URL must be an http(s) address, not {self._url!r}.")
        if not self._key and self._url.startswith("https://api.openai.com/"):
            raise ConfigError(
                f"embedder openai:{model} needs OPENAI_API_KEY, or ENGRAIN_OPENAI_BASE_URL for a local server."
            )
        self.name = f"openai:{model}"
        self._dim: int | None = None
        self._lock = threading.Lock()

    @property
    def dim(self) -> int:
        """Known after a first call; asked for with one short text otherwise."""
        with self._lock:
            if self._dim is None:
                self._dim = int(self._ask(["dimension"]).shape[1])
            return self._dim

    def embed(self, texts: list[str], /) -> Floats:
        """float32[n, dim]. EmbedderError when the endpoint does not answer as it should; nothing stands in for it."""
        dim = self.dim
        # The endpoint refuses empty texts and more than about 8,000 tokens.
        some = [[text[:20_000] or " " for text in texts[i : i + _BATCH]] for i in range(0, len(texts), _BATCH)]
        parts = [checked(self._ask(asked), len(asked), dim, self._url) for asked in some]
        return np.concatenate(parts) if parts else np.zeros((0, dim), dtype=np.float32)

    def _ask(self, texts: list[str]) -> Floats:
        body = json.dumps({"model": self._model, "input": texts, "encoding_format": "float"}).encode()
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        request = urllib.request.Request(self._url, data=body, headers=headers)  # noqa: S310 (scheme checked above)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                rows = sorted(json.load(answer)["data"], key=lambda row: row["index"])
            return np.array([row["embedding"] for row in rows], dtype=np.float32).reshape(len(rows), -1)
        except urllib.error.HTTPError as error:
            detail = error.read(500).decode("utf-8", "replace")
            raise EmbedderError(f"{self._url} answered {error.code} for model {self._model!r}: {detail}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmbedderError(f"{self._url} did not answer with embeddings: {error}") from error
