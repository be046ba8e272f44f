"""A verb: its inputs, output, help, who may call it, and which shells have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engrain.shells.calls import Call
from engrain.shells.fields import Field
from engrain.shells.trace import traced

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

LOCAL = frozenset({"cli"})  # what names a file of the machine, or works for long
SERVED = frozenset({"cli", "rest"})
_OWNERS = {("kv", False): "KeyValue", ("archive", True): "ColdArchive"}  # whose methods verbs of two words are
BOTH = frozenset({"cli", "mcp", "rest"})


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the method of the facade that has its name, whose value it answers with, under the name ``part`` when
    that is given; or ``call(memory, agent, arguments)``, whose answer has that ``part``, where that is not enough.
    An admin's verb is one of Memory."""

    name: str
    help: str
    fields: tuple[Field, ...]
    returns: Any  # the type of the answer
    part: str = ""
    call: Call | None = None
    shells: frozenset[str] = SERVED
    admin: bool = False
    reads: bool = False  # changes nothing
    destroys: bool = False  # may take something away
    repeats: bool = False  # changes something, but a second identical call nothing more
    no: str = ""  # the parts of the answer that, when all are empty or false, mean "no"
    does: str = ""  # the facade's method, where that has another name
    asks: str = ""  # the flag that is asked about first on a command line, unless there is --yes
    progress: bool = False  # takes a callable "progress" among its arguments
    views: tuple[Field, ...] = ()  # of the command line alone: flags, each another screen; a file in place of stdin

    @property
    def method(self) -> str:
        """The facade's method that it stands for."""
        group, _, last = self.name.partition(" ")
        owner = _OWNERS.get((group, self.admin)) if last else None
        name = self.does or (last if owner else self.name).replace("-", "_").replace(" ", "_")
        return f"{owner or ('Memory' if self.admin else 'Agent')}.{name}"

    @property
    def typed(self) -> tuple[Field, ...]:
        """Its fields on a command line, where what may come from a file need not be typed."""
        filed = any(one.name == "file" for one in self.views)
        fields = (replace(one, default=None) if filed and one.stdin else one for one in self.fields)
        return (*fields, *self.views)

    def is_no(self, value: Any) -> bool:
        """Whether an answer means "no"."""
        parts = (value[one] if isinstance(value, Mapping) else getattr(value, one) for one in self.no.split())
        return bool(self.no) and not any(parts)

    @property
    def rights(self) -> str:
        """What a key must give for it."""
        return "admin" if self.admin else "read" if self.reads else "write"

    def run(self, memory: Memory, agent: Agent | None, arguments: dict[str, Any]) -> Any:
        """Call the facade. Raises what it raises."""
        return traced(
            self.name, None if agent is None else agent.scope, arguments, lambda: self._run(memory, agent, arguments)
        )

    def _run(self, memory: Memory, agent: Agent | None, arguments: dict[str, Any]) -> Any:
        if self.call is not None:
            return self.call(memory, agent, arguments)
        owner, _, name = self.method.partition(".")
        value = getattr(memory.archive if owner == "ColdArchive" else memory if self.admin else agent, name)(
            **arguments
        )
        return {self.part: value} if self.part else value
