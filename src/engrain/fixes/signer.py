"""Signatures: the same id for the same problem, whatever its numbers, names and times.

In the order in which Sentry groups events: an explicit fingerprint decides alone; else the stack trace (`crash`); else
the masked message (`masks`), joined with others of its template (`templates`). Every problem keeps its raw id, a hash
of what was compared: the same in every process and for ever. Groups of raw ids are derived: they grow with evidence, a
person may merge and split them, and that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engrain.errors import InvalidField, UnknownSignature
from engrain.fixes.crash import Crashes, signature
from engrain.fixes.masks import settle, words
from engrain.fixes.problems import as_mapping, evidence
from engrain.fixes.signature import KINDS, VERSION, Shape, Signature, coarse, fingerprint_text, raw_id
from engrain.fixes.templates import Alone, Grouper, Miner

ROOM = 20_000  # raw ids of which the text is kept; what comes then is told by its template, or coarsely
_CACHED = 1 << 15  # lines

FORMAT = "engrain-signatures"


class Signer:
    """Signs problems, in memory; not for two threads at once.

    ``crash`` gives for a problem with a stack trace an object with a ``scope`` and a ``text``, or None; by default
    `engrain.fixes.crash.signature`. ``groupers`` are by kind. `add` keeps at most
    ``room`` raw ids and a few hundred that stand for all others; explicit fingerprints are always kept.
    """

    version = VERSION

    def __init__(
        self,
        *,
        crash: Callable[[Any], Any] | None = None,
        groupers: Mapping[str, Grouper] | None = None,
        room: int = ROOM,
    ) -> None:
        self._crash = crash or signature
        self._groupers: dict[str, Grouper] = {"template": Miner(), "crash": Crashes(), **(groupers or {})}
        self._alone = Alone()
        self._room = room
        self._shapes: dict[str, Shape] = {}
        self._heads: dict[str, str] = {}  # raw → id, of all shapes as of the last `_group`
        self._members: dict[str, tuple[str, ...]] = {}
        self._labels: dict[tuple[str, str], str] = {}  # (kind, label) → id
        self._changes: list[tuple[str, ...]] = []
        self._stale = False
        self._full = False  # as of when there was no more room, what fits no template is told coarsely
        self._told: dict[str, Signature] = {}
        self._lines: dict[str, str] = {}  # masked words of a one-line text → raw id

    def add(self, problem: object, fingerprint: str | list[str] | tuple[str, ...] | None = None) -> Signature:
        """Sign a problem (a text, a mapping of a problem's fields, an exception) and remember its signature.

        The id is the best known now: evidence that comes later may join it with others, so `resolve` it before use.
        Raises InvalidField for what is no problem or no fingerprint; nothing is changed then.
        """
        line = None
        if isinstance(problem, str) and fingerprint is None and "\n" not in problem and problem[:1] != "{":
            line = words(problem)
            if (raw := self._lines.get(line)) is not None:
                return self._told.get(raw) or self._tell(raw)
            shape = Shape("template", "", settle(line))
        else:
            shape = self._shape(problem, fingerprint)
        before = len(self._shapes)
        raw = self._keep(shape, self._room)
        if line is not None:
            if len(self._lines) >= _CACHED:
                self._lines.clear()
            self._lines[line] = raw
        told = self._tell(raw)
        return replace(told, is_new=True) if len(self._shapes) > before and told.id == raw else told

    def peek(self, problem: object, fingerprint: str | list[str] | tuple[str, ...] | None = None) -> Signature:
        """What `add` would tell, and nothing is remembered: for a question about a problem."""
        shape = self._shape(problem, fingerprint)
        raw = raw_id(shape)
        if raw in self._shapes:
            return self._tell(raw)
        self._group()
        fitting = self._fitting(shape)
        head = fitting or raw
        template = self._show(fitting) if fitting else shape.text or shape.scope
        return Signature(head, raw, template, shape.kind, VERSION, fitting is None, shape.scope, shape.text)

    def know(self, kind: str, scope: str, text: str) -> str:
        """Take in a signature that was signed before, by its ``kind``, ``scope`` and ``text``; its raw id."""
        for name, value in (("kind", kind), ("scope", scope), ("text", text)):
            if not isinstance(value, str):
                raise InvalidField(f"{name} of a signature is a text, not {type(value).__name__}.")
        if kind not in KINDS:
            raise InvalidField(f"a signature's kind is fingerprint, crash or template, not {kind[:40]!r}.")
        return self._keep(Shape(kind, scope, text), room=None)

    def resolve(self, id: str) -> str:
        """The id of the issue that an id, raw or earlier resolved, belongs to by now. Raises UnknownSignature."""
        self._require(id)
        self._group()
        return self._heads[id]

    def members(self, id: str) -> tuple[str, ...]:
        """All raw ids of the issue that an id belongs to, in the order in which they came. Raises UnknownSignature."""
        head = self.resolve(id)
        return self._members[head]

    def template(self, id: str) -> str:
        """What is common to the issue that an id belongs to, values as ``<*>``. Raises UnknownSignature."""
        return self._show(self.resolve(id))

    def alike(self, problem: object, limit: int = 10) -> list[tuple[str, float]]:
        """The most alike of the problems with a stack trace that are known, the best first: (raw id, likeness from 0 to
        1). Empty for a problem without one."""
        shape = self._shape(problem, None)
        grouper = self._grouper(shape.kind)
        return grouper.near(shape.scope, shape.text, limit) if isinstance(grouper, Crashes) else []

    def merge(self, a: str, b: str) -> str:
        """A person says that two issues are one; its id. Raises UnknownSignature."""
        one, other = self.resolve(a), self.resolve(b)
        if one != other:
            self._change("merge", one, other)
        return self._heads_now(one)

    def split(self, id: str) -> str:
        """A person says that this shape of a problem (a raw id) is an issue of its own: it leaves its group, and is not
        joined again by evidence, only by `merge`. Its id, that is `id`. Raises UnknownSignature."""
        self._require(id)
        self._change("split", id)
        return self._heads_now(id)

    def undo(self) -> tuple[str, ...] | None:
        """Take back the last merge or split; what it was, None when there is none."""
        if not self._changes:
            return None
        last = self._changes.pop()
        self._stale = True
        return last

    def export(self) -> dict[str, Any]:
        """All of it as JSON values: the shapes in the order in which they came, and what persons changed."""
        shapes = [[shape.kind, shape.scope, shape.text] for shape in self._shapes.values()]
        changes = [list(change) for change in self._changes]
        return {"format": FORMAT, "version": VERSION, "shapes": shapes, "changes": changes}

    @classmethod
    def load(cls, data: Mapping[str, Any], **options: Any) -> Signer:
        """What `export` gave; ``options`` as of the constructor. Raises InvalidField where it is not of this format and
        version, or damaged."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise InvalidField("these are no exported signatures.")
        if data.get("version") != VERSION:
            raise InvalidField(
                f"signatures of version {str(data.get('version'))[:20]!r} cannot be read by version {VERSION}: "
                "sign the problems again."
            )
        signer = cls(**options)
        for shape in _rows(data, "shapes"):
            if not isinstance(shape, list | tuple) or len(shape) != 3:
                raise InvalidField("an exported signature is [kind, scope, text].")
            signer.know(*shape)
        for change in _rows(data, "changes"):
            match change:
                case ["merge" | "split" as name, *ids] if len(ids) == (2 if name == "merge" else 1):
                    for one in ids:
                        signer._require(one)
                    signer._changes.append((name, *ids))
                case _:
                    raise InvalidField('an exported change is ["merge", id, id] or ["split", id].')
        signer._stale = True
        return signer

    def _shape(self, problem: object, fingerprint: object) -> Shape:
        told = as_mapping(problem)
        given = fingerprint if fingerprint is not None or told is None else told.get("fingerprint")
        if given is not None:
            return Shape("fingerprint", "", fingerprint_text(given))
        if not (isinstance(problem, str) and "\n" not in problem):
            found = self._crash(problem if told is None else told)
            if found is not None:
                return Shape("crash", found.scope, found.text)
        scope, text = evidence(problem)
        return Shape("template", settle(words(scope)), settle(words(text)))

    def _keep(self, shape: Shape, room: int | None) -> str:
        """The raw id of a shape, which is remembered if it is new and there is room; else of what stands for it."""
        raw = raw_id(shape)
        if raw in self._shapes:
            return raw
        if room is not None and len(self._shapes) >= room and shape.kind != "fingerprint":
            if not self._full:
                self._group()
                self._full = True
            if fitting := self._fitting(shape):
                return fitting
            shape = coarse(shape)
            raw = raw_id(shape)
            if raw in self._shapes:
                return raw
        self._shapes[raw] = shape
        self._grouper(shape.kind).add(shape.scope, shape.text)
        self._stale = True
        if fitting := self._fitting(shape):
            self._heads[raw] = fitting  # until it is grouped
        return raw

    def _fitting(self, shape: Shape) -> str | None:
        """The issue whose template a shape fits, as of the last `_group`."""
        label = self._grouper(shape.kind).fit(shape.scope, shape.text)
        return None if label is None else self._labels.get((shape.kind, label))

    def _group(self) -> None:
        """Bring the groups up to date: what evidence says, then what persons said, in their order."""
        if not self._stale:
            return
        for grouper in self._groupers.values():
            grouper.settle()
        labelled: dict[tuple[str, str], list[str]] = {}
        for raw, shape in self._shapes.items():
            label = self._grouper(shape.kind).label(shape.scope, shape.text)
            labelled.setdefault((shape.kind, label), []).append(raw)
        group = {raw: members for members in labelled.values() for raw in members}
        for name, *ids in self._changes:
            if name == "split":
                group[ids[0]].remove(ids[0])
                group[ids[0]] = [ids[0]]
            elif (into := group[ids[0]]) is not (other := group[ids[1]]):
                into.extend(other)
                group.update((raw, into) for raw in other)
        order = {raw: at for at, raw in enumerate(self._shapes)}
        self._members = {}
        for members in {id(members): members for members in group.values()}.values():
            ordered = tuple(sorted(members, key=order.__getitem__))
            self._members[ordered[0]] = ordered
        self._heads = {raw: head for head, members in self._members.items() for raw in members}
        self._labels = {key: self._heads[members[0]] for key, members in labelled.items() if members}
        self._told.clear()
        self._stale = False

    def _tell(self, raw: str) -> Signature:
        """The signature of a shape that is known, as of the last `_group`."""
        shape = self._shapes[raw]
        head = self._heads.get(raw, raw)
        template = self._show(head)
        told = Signature(head, raw, template, shape.kind, VERSION, False, shape.scope, shape.text)
        self._told[raw] = told
        return told

    def _show(self, head: str) -> str:
        first = self._shapes[head]
        return self._grouper(first.kind).show(first.scope, first.text) or first.scope

    def _change(self, *change: str) -> None:
        self._changes.append(change)
        self._stale = True

    def _heads_now(self, id: str) -> str:
        self._group()
        return self._heads[id]

    def _require(self, id: object) -> None:
        if not isinstance(id, str) or id not in self._shapes:
            raise UnknownSignature(f"no problem was signed {str(id)[:80]!r} here.")

    def _grouper(self, kind: str) -> Grouper:
        return self._groupers.get(kind, self._alone)


def _rows(data: Mapping[str, Any], name: str) -> list[Any]:
    rows = data.get(name)
    if not isinstance(rows, list):
        raise InvalidField(f"exported signatures have a list of {name}.")
    return rows
