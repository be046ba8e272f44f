"""LangGraph's long-term memory (https://docs.langchain.com/oss/python/langgraph/persistence) in an agent's memory:
``builder.compile(store=EngrainStore(memory.agent("ann")))``.

A value is a memory under its namespace and key, pinned so that it does not fade; what is put in its place replaces it.
``search`` with a query ranks as ``recall`` does, with the engine's own embedder. A store that is given an ``embed`` in
its ``index`` keeps LangChain vectors beside the values and ranks by their cosine, as LangGraph's own stores do.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any

from engrain.agent import Agent
from engrain.errors import ConfigError, InvalidField, UnknownItem
from engrain.integrations import records
from engrain.integrations.langgraph_match import matches, namespaces
from engrain.model.item import MemoryItem
from engrain.world import from_micros

try:
    from anyio import to_thread
    from langgraph.store.base import (
        BaseStore,
        Embeddings,
        GetOp,
        IndexConfig,
        Item,
        ListNamespacesOp,
        Op,
        PutOp,
        Result,
        SearchItem,
        SearchOp,
        TTLConfig,
        ensure_embeddings,
        get_text_at_path,
        tokenize_path,
        validate_op_namespace,
    )
except ImportError as missing:
    raise ConfigError("The store of LangGraph needs it: pip install 'engrain[langgraph]'.") from missing

_SOURCE = "langgraph"
_HIDDEN = "langgraph:not-indexed"
_VECTORS = 20_000  # characters that the vectors of one value may take; else they are made when they are asked for
_Scored = tuple[MemoryItem, float | None]


class EngrainStore(BaseStore):
    """All values of one agent. Threads and processes may share it; other agents and tenants are apart.

    ``index``: ``fields`` say what of a value is searched (``["$"]``: all); with ``embed``, by what vectors. ``ttl``:
    ``default_ttl`` (minutes) and ``refresh_on_read``. What has expired is gone at once; the home's lifecycle clears it
    away, so there is no sweeper to start.
    """

    supports_ttl = True

    def __init__(
        self, agent: Agent, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None, kind: str = "fact"
    ) -> None:
        self.index_config = index
        self.ttl_config = ttl
        self._agent = agent
        self._kind = kind
        embed = (index or {}).get("embed")
        self.embeddings = None if embed is None else ensure_embeddings(embed)
        self._embedder = _name(embed)
        self._fields = list((index or {}).get("fields") or ["$"])

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same as ``batch``, in a thread."""
        return await to_thread.run_sync(self.batch, list(ops))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Each operation's result, in order. Reads see what was there before the batch; of several puts to one key the
        last counts. Raises InvalidNamespaceError or InvalidInput before anything is written."""
        asked = list(ops)
        for op in asked:
            validate_op_namespace(op)
            _check(op)
        results: list[Result] = []
        puts: dict[str, PutOp] = {}
        for op in asked:
            if isinstance(op, PutOp):
                puts[_key(op.namespace, op.key)] = op
                results.append(None)
            elif isinstance(op, GetOp):
                results.append(self._get(op))
            elif isinstance(op, SearchOp):
                results.append(self._search(op))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._namespaces(op))
            else:
                raise InvalidField(f"There is no operation {type(op).__name__}.")
        self._put(puts)
        return results

    # -- writing ------------------------------------------------------------------------------------------------------

    def _put(self, puts: Mapping[str, PutOp]) -> None:
        rows = self._rows({key: op for key, op in puts.items() if op.value is not None})
        for key, op in puts.items():
            current = self._agent.lookup(self._kind, key) if op.value is None else None
            if current is not None:
                self._agent.forget(current.id)
        for item, row in zip(records.keep(self._agent, rows) if rows else (), rows, strict=True):
            if item.metadata["put"] != row["metadata"]["put"]:  # it reads the same to recall: the item that was there
                with suppress(UnknownItem):  # somebody else has replaced it already
                    self._agent.update(item.id, **{name: row[name] for name in ("metadata", "tags", "expires_in")})

    def _rows(self, puts: Mapping[str, PutOp]) -> list[dict[str, Any]]:
        try:
            texts = [self._texts(op) for op in puts.values()]
        except RecursionError as error:
            raise InvalidField("A value holds itself, or is nested too deep; JSON cannot hold it.") from error
        vectors: list[list[str]] = [[] for _ in texts]
        if self.embeddings is not None and any(texts):
            made = iter(self.embeddings.embed_documents([text for some in texts for text in some]))
            vectors = [[_packed(next(made)) for _ in some] for some in texts]
        return [self._row(key, op, *given) for (key, op), *given in zip(puts.items(), texts, vectors, strict=True)]

    def _row(self, key: str, op: PutOp, texts: Sequence[str], vectors: Sequence[str]) -> dict[str, Any]:
        world = self._agent.world
        metadata: dict[str, Any] = {"put": world.new_id(), "put_at": world.now()}
        if op.ttl is not None:
            metadata["ttl"] = op.ttl
        if vectors and sum(map(len, vectors)) <= _VECTORS:
            metadata |= {"vectors": list(vectors), "embedder": self._embedder}
        tags = [_tag(op.namespace[:depth]) for depth in range(1, len(op.namespace) + 1)]
        found = records.rows(
            dict(op.value or {}),
            "\n".join(texts) if texts else " ".join((*op.namespace, op.key)),
            key=key,
            metadata=metadata,
            kind=self._kind,
            tags=tags if texts else [*tags, _HIDDEN],
            pinned=True,
            source=_SOURCE,
            expires_in=None if op.ttl is None else _minutes(op.ttl),
        )
        if len(found) > 1:
            raise InvalidField(f"The value of {op.key!r} has more than {records.BLOCK:,} bytes; split it.")
        return found[0]

    def _texts(self, op: PutOp) -> list[str]:
        if op.index is False:
            return []
        value = dict(op.value or {})
        paths = self._fields if op.index is None else list(op.index)
        if paths == ["$"] and self.embeddings is None:
            return [text for text in _lines(value) if text.strip()]
        found = (get_text_at_path(value, path if path == "$" else tokenize_path(path)) for path in paths)
        return [text for texts in found for text in texts if text.strip()]

    # -- reading ------------------------------------------------------------------------------------------------------

    def _get(self, op: GetOp) -> Item | None:
        item = self._agent.lookup(self._kind, _key(op.namespace, op.key))
        if item is None or not records.holds(item):
            return None
        self._read(item, refresh=op.refresh_ttl)
        return Item(**_fields(item))

    def _search(self, op: SearchOp) -> list[SearchItem]:
        prefix, query = tuple(op.namespace_prefix), (op.query or "").strip()
        found: Iterable[_Scored] = ((item, None) for item in self._all(prefix))
        if query:
            embeddings = self.embeddings
            found = self._recalled(prefix, query, op) if embeddings is None else self._near(embeddings, prefix, query)
        good = (one for one in found if not op.filter or matches(records.document(one[0]), op.filter))
        results = []
        for item, score in islice(good, op.offset, op.offset + op.limit):
            self._read(item, refresh=op.refresh_ttl)
            results.append(SearchItem(**_fields(item), score=score))
        return results

    def _recalled(self, prefix: tuple[str, ...], query: str, op: SearchOp) -> Iterator[_Scored]:
        """What recall finds, then the rest without a score."""
        limit = min(1_000, 1_000 if op.filter else op.offset + op.limit)
        seen = set()
        tags = [_tag(prefix)] if prefix else None
        for hit in self._agent.recall(query, max(1, limit), kinds=[self._kind], tags=tags, min_score=0.0):
            if self._own(hit.item) and _HIDDEN not in hit.item.tags:
                seen.add(hit.item.id)
                yield hit.item, hit.score
        yield from ((item, None) for item in self._all(prefix) if item.id not in seen)

    def _near(self, embeddings: Embeddings, prefix: tuple[str, ...], query: str) -> list[_Scored]:
        """By the cosine of the best of each value's vectors; what is not indexed comes last, without a score. Vectors
        that another embedder made are made anew for the question."""
        asked = embeddings.embed_query(query)
        scored: list[tuple[MemoryItem, float]] = []
        rest: list[_Scored] = []
        for item in self._all(prefix):
            if _HIDDEN in item.tags:
                rest.append((item, None))
                continue
            vectors: list[Sequence[float]] = []
            if item.metadata.get("embedder") == self._embedder:
                vectors += map(_unpacked, item.metadata["vectors"])
            scored.append(
                (item, max(_cosine(asked, one) for one in vectors or embeddings.embed_documents(_said(item))))
            )
        return [*sorted(scored, key=lambda one: -one[1]), *rest]

    def _own(self, item: MemoryItem) -> bool:
        """Recall also finds what others share."""
        scope = self._agent.scope
        return (item.tenant, item.agent, item.source) == (scope.tenant, scope.agent, _SOURCE) and _kept(item)

    def _all(self, prefix: tuple[str, ...]) -> Iterator[MemoryItem]:
        """All values below a namespace, in the order in which they were first put; not what others remembered under
        such a key."""
        return filter(_kept, records.every(self._agent, _key(prefix), self._kind))

    def _read(self, item: MemoryItem, *, refresh: bool) -> None:
        if refresh and item.metadata.get("ttl") is not None:
            with suppress(UnknownItem):
                self._agent.update(item.id, expires_in=timedelta(minutes=item.metadata["ttl"]))

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        fixed: tuple[str, ...] = ()
        for condition in op.match_conditions or ():
            if condition.match_type == "prefix" and "*" not in condition.path:
                fixed = max(fixed, tuple(condition.path), key=len)
        found = {_place(item)[0] for item in self._all(fixed)}
        return namespaces(found, op)


def _key(namespace: Sequence[str], key: str | None = None) -> str:
    """Labels hold no dot and are not empty, so that two dots end them. Without a key: what all below it begin with."""
    return f"{_SOURCE}:" + "".join(f"{label}." for label in namespace) + ("" if key is None else f".{key}")


def _kept(item: MemoryItem) -> bool:
    return records.holds(item) and ".." in (item.key or "")


def _check(op: Op) -> None:
    """Raises InvalidField for what cannot be asked."""
    if isinstance(op, SearchOp) and not (isinstance(op.filter, Mapping | None) and isinstance(op.query, str | None)):
        raise InvalidField("A search has a filter that is a mapping and a query that is text, or none.")
    if isinstance(op, SearchOp | ListNamespacesOp) and not all(
        type(one) is int and one >= 0 for one in (op.limit, op.offset)
    ):
        raise InvalidField(f"limit and offset must be whole numbers from 0, not {op.limit!r} and {op.offset!r}.")


def _minutes(ttl: Any) -> timedelta:
    try:
        return timedelta(minutes=ttl)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidField(f"ttl must be a number of minutes, not {ttl!r}.") from error


def _place(item: MemoryItem) -> tuple[tuple[str, ...], str]:
    namespace, _, key = (item.key or "").removeprefix(f"{_SOURCE}:").partition("..")
    return tuple(namespace.split(".")), key


def _tag(namespace: Sequence[str]) -> str:
    return records.tag(_SOURCE, ".".join(namespace))


def _fields(item: MemoryItem) -> dict[str, Any]:
    namespace, key = _place(item)
    return {
        "value": records.document(item),
        "key": key,
        "namespace": namespace,
        "created_at": item.created_at,
        "updated_at": max(item.created_at, from_micros(item.metadata["put_at"])),
    }


def _lines(value: Any, name: str = "") -> Iterator[str]:
    """What of a value is readable, a line each."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _lines(inner, name)
    elif value is not None and not isinstance(value, bool):
        yield f"{name}: {value}" if name else str(value)


def _said(item: MemoryItem) -> list[str]:
    return [line for line in item.content.splitlines() if line.strip()]


def _name(embed: Any) -> str:
    """What tells vectors of one embedder from those of another."""
    kind = embed if isinstance(embed, type) or hasattr(embed, "__qualname__") else type(embed)
    model = getattr(embed, "model", None) or getattr(embed, "model_name", None)
    return embed if isinstance(embed, str) else f"{kind.__module__}.{kind.__qualname__}:{model or ''}"


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    import numpy as np

    product = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.dot(one, other)) / product if product else 0.0
