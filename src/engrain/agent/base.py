"""What every part of an agent's scope shares: the memory behind it, who asks, and checks of what is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from engrain.errors import InvalidField, UnknownItem
from engrain.intake import validate
from engrain.intake.redact import redact_value, refuse_secret
from engrain.model.scope import Scope

if TYPE_CHECKING:
    from engrain.memory import Memory
    from engrain.world import World

T = TypeVar("T")


class Scoped:
    """A scope of a memory."""

    def __init__(self, memory: Memory, scope: Scope, *, known: bool) -> None:
        self._memory = memory
        self.scope = scope
        self._known = known

    def __repr__(self) -> str:
        return f"Agent({self.scope.agent!r}, tenant={self.scope.tenant!r}, team={self.scope.team!r})"

    @property
    def world(self) -> World:
        """The clock and the ids of the memory, for what is built on an agent."""
        return self._memory.world

    def _wrote(self, result: T) -> T:
        """Note the agent in the home after its first write, so that ``memory.agents()`` lists it."""
        if not self._known:
            self._memory.note_agent(self.scope)
            self._known = True
        return result

    def _seen(self, id: str) -> str:
        """The id of an item that this agent can see, or UnknownItem."""
        item = self._memory.items.get(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS))
        if item is None:
            there = self._memory.tiers.many(self.scope, [id])
            raise UnknownItem(
                f"{id!r} is archived: restore it first."
                if there
                else f"{id!r} is not an item that agent {self.scope.agent!r} can see."
            )
        return item.id

    @staticmethod
    def _rows(rows: Any) -> Iterable[Any]:
        if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
            raise InvalidField(f"rows must be a list of dicts, not {type(rows).__name__}.")
        return rows

    def _clean(self, state: Any) -> Any:
        """A state without secrets; whatever is not a mapping goes on to be refused where states are checked."""
        if not self._memory.config.redact or not isinstance(state, Mapping):
            return state
        try:
            return redact_value(state)[0]
        except RecursionError as error:
            raise InvalidField("state contains itself; leave the circle out.") from error

    def _named(self, **names: Any) -> None:
        """Refuse secrets in names: they stand in every row and are looked up by."""
        for name, value in names.items() if self._memory.config.redact else ():
            for one in value if isinstance(value, list | tuple) else (value,):
                refuse_secret(name, one)

    @staticmethod
    def _optional(name: str, value: str | None) -> str | None:
        return None if value is None else validate.text(name, value, validate.FIELD_CHARACTERS)

    def _kinds(self, kinds: Sequence[str]) -> tuple[str, ...]:
        if isinstance(kinds, str) or not isinstance(kinds, Sequence | set | frozenset):
            raise InvalidField(f"kinds must be a list of kinds, not {validate.shown(kinds)}.")
        return tuple(validate.kind_name(kind, self._memory.kinds) for kind in kinds)
