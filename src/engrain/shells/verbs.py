"""Every verb that a shell carries, declared once: inputs, output, help, who may call it, which shells have it.

The command line, the MCP server and the generated reference are made from this table; a parity test compares it with
them and with the methods of Agent and Memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engrain.model.decision import Advice, Experience
from engrain.model.item import MemoryItem
from engrain.shells import calls, inputs
from engrain.shells.fields import Field

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

CLI = frozenset({"cli"})
BOTH = frozenset({"cli", "mcp"})


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the method of the facade that has its name, whose value it answers with, under the name ``part`` when
    that is given; or ``call(memory, agent, arguments)`` where that is not enough. An admin's verb is one of Memory."""

    name: str
    help: str
    fields: tuple[Field, ...]
    returns: Any  # the type of the answer
    part: str = ""
    call: calls.Call | None = None
    shells: frozenset[str] = CLI
    admin: bool = False
    reads: bool = False  # changes nothing
    destroys: bool = False  # may take something away
    repeats: bool = False  # changes something, but a second identical call nothing more
    no: str = ""  # the part of the answer that, when empty or false, means "no"
    progress: bool = False  # takes a callable "progress" among its arguments
    views: tuple[Field, ...] = ()  # flags of the command line alone, each another screen for the same answer

    @property
    def method(self) -> str:
        """The facade's method that it stands for."""
        group, _, name = self.name.rpartition(" ")
        owner = "KeyValue" if group else "Memory" if self.admin else "Agent"
        return f"{owner}.{name.replace('-', '_')}"

    def run(self, memory: Memory, agent: Agent | None, arguments: dict[str, Any]) -> Any:
        """Call the facade. Raises what it raises."""
        if self.call is not None:
            return self.call(memory, agent, arguments)
        value = getattr(memory if self.admin else agent, self.name.replace("-", "_"))(**arguments)
        return {self.part: value} if self.part else value


# -- the table --------------------------------------------------------------------------------------------------------

VERBS: tuple[Verb, ...] = (
    Verb(
        "remember",
        "Keep something for later sessions. Told again, it is not stored twice; under a key, the new replaces the old.",
        inputs.ITEM,
        MemoryItem,
        shells=BOTH,
        repeats=True,
    ),
    Verb(
        "remember-many",
        "Keep many things in one transaction: all or none.",
        (
            Field(
                "rows",
                "rows",
                "A JSON object a line, with the arguments of remember.",
                positional=True,
                stdin=True,
                row=inputs.ITEM,
            ),
        ),
        calls.Items,
        call=lambda m, a, given: {"items": a.remember_many(given["rows"])},
        repeats=True,
    ),
    Verb(
        "recall",
        "Find what is remembered about a question, best first, with scores and why. Ask before you start a task.",
        (
            Field("query", "text", "The question, in plain words.", positional=True, stdin=True),
            Field("limit", "integer", "At most so many.", 10),
            Field("kinds", "kinds", "Only these kinds.", None, option="--kind"),
            Field("tags", "words", "Only what has all of these tags.", None, option="--tag"),
            Field("session", "text", "Only this session.", None),
            Field("since", "time", "Only what happened then or later.", None),
            Field("until", "time", "Only what happened before.", None),
            Field("min_score", "number", "Nothing below this score, 0 to 1.", None),
        ),
        calls.Hits,
        part="hits",
        shells=BOTH,
        reads=True,
        no="hits",
        views=(Field("explain", "flag", "Show every part of each score.", False, option="--explain"),),
    ),
    Verb(
        "context",
        "What is remembered about a question as one block of text for a prompt, within a budget of tokens.",
        (
            Field("query", "text", "The question, in plain words.", positional=True, stdin=True),
            Field("max_tokens", "integer", "The block is never longer.", 800),
        ),
        calls.Context,
        part="context",
        shells=BOTH,
        reads=True,
        no="context",
    ),
    Verb(
        "get",
        "One memory by its id, in full.",
        (inputs.ID,),
        MemoryItem,
        call=lambda m, a, given: calls.found(a.get(**given), f"the id {given['id']!r}"),
        shells=BOTH,
        reads=True,
    ),
    Verb(
        "lookup",
        "The current memory under a kind and key.",
        (inputs.KIND, inputs.KEY),
        MemoryItem,
        call=lambda m, a, given: calls.found(a.lookup(**given), f"kind {given['kind']!r} and key {given['key']!r}"),
        reads=True,
    ),
    Verb(
        "history",
        "All versions under a kind and key, the current one first.",
        (inputs.KIND, inputs.KEY),
        calls.Items,
        part="items",
        reads=True,
        no="items",
    ),
    Verb(
        "list",
        "The agent's own memories, oldest first, a page at a time.",
        (
            inputs.OF_KIND,
            inputs.LIMIT,
            Field("after", "text", "Go on after this id, the last of the page before.", None),
        ),
        calls.Items,
        part="items",
        shells=BOTH,
        reads=True,
    ),
    Verb("count", "How many memories the agent has.", (inputs.OF_KIND,), calls.Count, part="count", reads=True),
    Verb(
        "update",
        "Change fields of a memory; its kind and key stay.",
        (
            inputs.ID,
            *(
                Field(one.name, one.type, one.help, None, one.choices, option=one.option)
                for one in inputs.ITEM
                if one.name not in ("kind", "key")
            ),
            Field("clear", "words", f"Fields to empty: {', '.join(calls.EMPTY)}.", None, tuple(calls.EMPTY)),
        ),
        MemoryItem,
        call=calls.update,
        shells=BOTH,
        destroys=True,
        repeats=True,
    ),
    Verb(
        "forget",
        "Delete a memory with its older versions for good.",
        (inputs.ID,),
        calls.Forgotten,
        call=lambda m, a, given: {"forgotten": int(a.forget(**given))},
        shells=BOTH,
        destroys=True,
        repeats=True,
        no="forgotten",
    ),
    Verb(
        "forget-where",
        "Delete all memories of a kind, with some tags, or from before a moment; at least one must be given.",
        (
            inputs.OF_KIND,
            Field("tags", "words", "Only what has all of these tags.", None, option="--tag"),
            Field("before", "time", "Only what happened before.", None),
        ),
        calls.Forgotten,
        part="forgotten",
        destroys=True,
        repeats=True,
    ),
    Verb(
        "helpful",
        "Say whether a recalled memory helped. This, not being shown, counts as evidence.",
        (inputs.ID, Field("helpful", "flag", "Whether it helped.", True)),
        calls.Told,
        call=calls.told("helpful"),
        shells=BOTH,
    ),
    Verb("applied", "Say that a recalled memory was acted upon.", (inputs.ID,), calls.Told, call=calls.told("applied")),
    Verb("adaptation", "How far feedback has changed what this tenant recalls.", (), dict[str, Any], reads=True),
    Verb(
        "reset-adaptation",
        "Forget what feedback taught the ranking; votes stay with their memories.",
        (),
        dict[str, int],
        part="examples",
        destroys=True,
        repeats=True,
    ),
    Verb(
        "advise",
        "What to do next, from what came of it before. Observe the decision id afterwards: only outcomes teach.",
        (
            inputs.TASK,
            inputs.STATE,
            Field(
                "options", "words", "The actions to choose from; left out: those seen before.", None, option="--option"
            ),
            inputs.EPISODE,
        ),
        Advice,
        shells=BOTH,
    ),
    Verb(
        "observe",
        "What came of an advice. Observing again revises what was known.",
        (
            Field("decision_id", "text", "The decision id of the advice.", positional=True),
            Field("action", "text", "The action taken, when it was another than the advised one.", None),
            *inputs.OUTCOME,
        ),
        Experience,
        call=calls.observe,
        shells=BOTH,
        repeats=True,
    ),
    Verb(
        "observe-step",
        "What came of an action that no advice stood behind.",
        inputs.STEP,
        Experience,
        call=lambda m, a, given: a.observe_step(**calls.with_outcome(given)),
        shells=BOTH,
    ),
    Verb(
        "observe-many",
        "Many experiences in one transaction: all or none.",
        (
            Field(
                "rows",
                "rows",
                "A JSON object a line, with the arguments of observe-step.",
                positional=True,
                stdin=True,
                row=inputs.STEP,
            ),
        ),
        calls.Experiences,
        call=calls.observe_many,
    ),
    Verb(
        "experiences",
        "What the agent has observed, newest first.",
        (inputs.OF_TASK, inputs.LIMIT),
        calls.Experiences,
        part="experiences",
        reads=True,
    ),
    Verb(
        "q-values",
        "What the agent has learned: visits, mean and spread of each action.",
        (inputs.OF_TASK,),
        dict[str, Sequence[Any]],
        part="q_values",
        reads=True,
    ),
    Verb(
        "kv get",
        "The value of a key.",
        (inputs.KV_KEY, inputs.NAMESPACE),
        dict[str, Any],
        call=calls.kv("get"),
        reads=True,
    ),
    Verb(
        "kv set",
        "Set a key to a JSON value.",
        (
            inputs.KV_KEY,
            Field("value", "json", "The value as JSON.", positional=True, stdin=True),
            inputs.NAMESPACE,
            Field("ttl", "text", "How long it stays, e.g. 30d or 12h.", None),
        ),
        dict[str, Any],
        call=calls.kv("set"),
        repeats=True,
    ),
    Verb(
        "kv has",
        "Whether a key is set.",
        (inputs.KV_KEY, inputs.NAMESPACE),
        dict[str, Any],
        call=calls.kv("has"),
        reads=True,
        no="there",
    ),
    Verb(
        "kv search",
        "Keys that begin with a prefix, and their values.",
        (
            Field("prefix", "text", "The beginning; nothing: all keys.", "", positional=True),
            inputs.LIMIT,
            inputs.NAMESPACE,
        ),
        dict[str, Any],
        call=calls.kv("search"),
        reads=True,
    ),
    Verb(
        "kv delete",
        "Delete a key.",
        (inputs.KV_KEY, inputs.NAMESPACE),
        dict[str, Any],
        call=calls.kv("delete"),
        destroys=True,
        repeats=True,
        no="deleted",
    ),
    Verb(
        "stats",
        "What this agent remembers and has learned, in numbers.",
        (),
        calls.AgentStats,
        call=calls.agent_stats,
        shells=frozenset({"mcp"}),
        reads=True,
    ),
    Verb("stats", "What is in the home, in numbers.", (), dict[str, Any], admin=True, reads=True),
    Verb("agents", "Every agent that has written.", (), calls.Agents, part="agents", admin=True, reads=True),
    Verb(
        "doctor",
        "Is the home all right? Exit code 1 when it is not.",
        (Field("canary", "flag", "Also prove, in a throw-away tenant, that outcomes change later decisions.", False),),
        calls.Examination,
        call=calls.doctor,
        admin=True,
        repeats=True,
        no="ok",
    ),
    Verb(
        "rebuild",
        "Make words and vectors anew while others work: what is stale, as with another embedder, or else everything.",
        (),
        dict[str, int],
        admin=True,
        repeats=True,
        progress=True,
    ),
    Verb(
        "backup",
        "A verified copy of the store, made while others work.",
        (Field("path", "text", "The file to make; it must not exist.", positional=True),),
        dict[str, str],
        call=calls.backup,
        admin=True,
    ),
)

# Public methods that are no verb of their own, and why.
NOT_VERBS = {
    "Agent.kv": "the door to the kv verbs",
    "Memory.agent": "the scope is fixed when a shell starts",
    "Memory.close": "a shell closes what it opened",
    "Memory.note_agent": "part of what a writing verb does",
}


def verbs_of(shell: str) -> tuple[Verb, ...]:
    """The verbs that a shell carries, in their stable order."""
    return tuple(verb for verb in VERBS if shell in verb.shells)
