"""Every verb that a shell carries, declared once: inputs, output, help, who may call it, which shells have it.

The shells and the generated reference are made from this table; a parity test compares it with them and with
the methods of Agent and Memory.
"""

from __future__ import annotations

from engrain.shells.verb import Verb
from engrain.shells.verbs_admin import ADMIN
from engrain.shells.verbs_agent import AGENT
from engrain.shells.verbs_archive import ARCHIVE
from engrain.shells.verbs_daemon import DAEMON
from engrain.shells.verbs_exits import EXITS
from engrain.shells.verbs_fixes import FIXES
from engrain.shells.verbs_learn import LEARN
from engrain.shells.verbs_life import LIFE
from engrain.shells.verbs_patterns import LEARNED, PATTERNS
from engrain.shells.verbs_service import SERVICE
from engrain.shells.verbs_trajectories import TRAJECTORIES

VERBS: tuple[Verb, ...] = (
    *AGENT, *LIFE, *ARCHIVE, *EXITS, *FIXES, *PATTERNS, *LEARN, *LEARNED, *TRAJECTORIES, *ADMIN, *DAEMON, *SERVICE,
)  # fmt: skip

# Public methods that are no verb of their own, and why.
NOT_VERBS = {
    "Memory.take_in": "opening the memory does it, and tick",
    "Agent.export_data": "export, as a stream",
    "Agent.import_data": "import, from a stream",
    "Agent.pattern_history": "part of patterns show",
    "Agent.pattern_links": "part of patterns show",
    "Agent.pattern_uses": "part of patterns show",
    "Agent.kv": "the door to the kv verbs",
    "ColdArchive.search": "archive search of an agent, as the owner",
    "Memory.agent": "the scope is fixed when a shell starts",
    "Memory.close": "a shell closes what it opened",
    "Memory.note_agent": "part of what a writing verb does",
    "Agent.trouble": "engrain.agents tells it; alerts and doctor show it",
    "Memory.strategies": "part of context",
    "Memory.trouble": "as Agent.trouble",
    "Memory.start_roles": "a shell that lives long starts them",
}


def verbs_of(shell: str) -> tuple[Verb, ...]:
    """The verbs that a shell carries, in their stable order."""
    return tuple(verb for verb in VERBS if shell in verb.shells)
