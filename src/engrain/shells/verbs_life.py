"""The verbs of the lifecycle: what was archived, what fades, what runs in the background."""

from __future__ import annotations

from engrain.model.item import MemoryItem
from engrain.shells import calls, inputs
from engrain.shells.fields import Field
from engrain.shells.verb import Verb

_AFTER = Field("after", "text", "Go on after this id, the last of the page before.", None)
_REASON = Field("reason", "text", "Only what was archived for this reason.", None)
_STAYS = Field("expires_in", "text", "How long it stays, e.g. 30d; what had expired: 30 days.", None)
_CONFLICT = Field(
    "on_conflict",
    "choice",
    "When its key was taken meanwhile: leave it, replace the other, keep the newer, or merge.",
    "keep-newer",
    ("skip", "overwrite", "keep-newer", "merge"),
)

LIFE: tuple[Verb, ...] = (
    Verb(
        "archived",
        "The agent's archived memories, the latest first, a page at a time.",
        (inputs.LIMIT, _AFTER, _REASON),
        calls.Items,
        part="items",
        reads=True,
    ),
    Verb("restore", "Bring an archived memory back.", (inputs.ID, _STAYS, _CONFLICT), MemoryItem),
    Verb(
        "restore-where",
        "Bring archived memories back: what answers a question, happened then, or was archived for a reason.",
        (
            Field("query", "text", "What it is about; left out, those archived last come first.", None),
            Field("since", "time", "Only what happened then or later.", None),
            Field("until", "time", "Only what happened before.", None),
            _REASON,
            Field("kinds", "kinds", "Only these kinds.", None, option="--kind"),
            inputs.LIMIT,
            _STAYS,
            _CONFLICT,
            Field("dry_run", "flag", "Only tell what would come back.", False),
        ),
        calls.Items,
        part="items",
        no="items",
    ),
    Verb(
        "promote",
        "Make knowledge of a memory: it stays, and an item of kind knowledge says the same.",
        (inputs.ID,),
        MemoryItem,
        repeats=True,
    ),
    Verb(
        "pin",
        "Keep a memory from fading, or let it fade again.",
        (inputs.ID, Field("pinned", "flag", "Whether it is kept.", True)),
        MemoryItem,
        repeats=True,
    ),
    Verb(
        "transitions",
        "What happened to the agent's memories, or to one of them, in order.",
        (Field("id", "text", "Only of this memory.", None, positional=True), _AFTER, inputs.LIMIT),
        calls.Events,
        part="events",
        reads=True,
    ),
    Verb(
        "prune",
        "Delete what was archived long ago, but for what is important.",
        (Field("dry_run", "flag", "Only count what would be deleted.", False),),
        dict[str, int],
        admin=True,
        destroys=True,
        repeats=True,
    ),
)
