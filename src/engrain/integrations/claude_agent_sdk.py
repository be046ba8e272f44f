"""Transcripts of the Claude Agent SDK (https://docs.claude.com/en/api/agent-sdk) in an agent's memory:
``ClaudeAgentOptions(session_store=EngrainSessionStore(memory.agent("ann")), resume=session_id)``.

Each entry of a transcript is a memory of kind ``context``, pinned so that it does not fade. Its session is
``claude:PROJECT/SESSION``, of a subagent with ``/SUBPATH`` behind it. An entry that carries a ``uuid`` is kept once,
however often it is sent; a batch is one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from engrain.agent import Agent
from engrain.errors import ConfigError
from engrain.integrations import records

try:
    from anyio import to_thread
    from claude_agent_sdk import SessionStore, fold_session_summary
except ImportError as missing:
    raise ConfigError(
        "The session store needs Claude's agent SDK: pip install 'engrain[claude-agent-sdk]'."
    ) from missing

if TYPE_CHECKING:
    from claude_agent_sdk import SessionKey, SessionListSubkeysKey, SessionStoreEntry, SessionStoreListEntry
    from claude_agent_sdk.types import SessionSummaryEntry

    from engrain.model.item import Session

_SOURCE = "claude-agent-sdk"
_MOST = 10_000  # sessions of a project, subagents of a session


class EngrainSessionStore(SessionStore):
    """All transcripts of one agent. Several processes may write into one session: the order is that of storing."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Add entries at the end: all, or none when one is refused."""
        if entries:
            await to_thread.run_sync(self._append, key, entries)

    def _append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        name = _name(key)
        fields = {"session": name, "pinned": True, "source": _SOURCE}
        tags = list(dict.fromkeys([records.tag(_SOURCE, _main(key)), records.tag(_SOURCE, name)]))
        batch, sent = [], set()
        for entry in entries:
            uuid = entry.get("uuid")
            own = f"u{quote(uuid, safe='')}" if isinstance(uuid, str) and uuid else f"n{self._agent.world.new_id()}"
            if own in sent:
                continue
            sent.add(own)
            batch += records.rows(
                entry, _text(entry), key=f"{name}|{own}", role=str(entry["type"]), tags=tags, **fields
            )
        records.keep(self._agent, batch)

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """All entries in order; None when there are none."""
        return await to_thread.run_sync(self._load, _name(key))

    def _load(self, name: str) -> list[SessionStoreEntry] | None:
        return [one.document for one in records.newest(self._agent, f"{name}|")][::-1] or None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """The sessions of a project, and when each was written to last."""
        return await to_thread.run_sync(
            lambda: [
                {"session_id": unquote(one.session.rpartition("/")[2]), "mtime": _milliseconds(one)}
                for one in self._sessions(project_key)
            ]
        )

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """A summary of each session, folded by the SDK: kept, and folded anew when something was added since."""
        return await to_thread.run_sync(
            lambda: [self._summary(project_key, one) for one in self._sessions(project_key)]
        )

    def _summary(self, project: str, one: Session) -> SessionSummaryEntry:
        kept, stamp = self._agent.kv(_SOURCE), [one.items, one.last_at.isoformat()]
        known: dict[str, Any] | None = kept.get(one.session)
        if known is None or known["stamp"] != stamp:
            key: SessionKey = {"project_key": project, "session_id": unquote(one.session.rpartition("/")[2])}
            summary = fold_session_summary(None, key, self._load(one.session) or [])
            known = {"stamp": stamp, "summary": {**summary, "mtime": _milliseconds(one)}}
            kept.set(one.session, known)
        return known["summary"]  # type: ignore[no-any-return]

    def _sessions(self, project: str) -> list[Session]:
        prefix = f"claude:{quote(project, safe='')}/"
        return [one for one in self._agent.sessions(prefix, limit=_MOST) if "/" not in one.session[len(prefix) :]]

    async def delete(self, key: SessionKey) -> None:
        """Forget a session with its subagents, or (with a subpath) one of these, for good."""
        await to_thread.run_sync(self._delete, _name(key))

    def _delete(self, name: str) -> None:
        self._agent.forget_where(kind=records.KIND, tags=[records.tag(_SOURCE, name)])
        self._agent.kv(_SOURCE).delete(name)

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """The subpaths of a session that have entries."""
        prefix = f"{_main(key)}/"
        found = await to_thread.run_sync(lambda: self._agent.sessions(prefix, limit=_MOST))
        return [unquote(one.session[len(prefix) :]) for one in found]


def _main(key: SessionKey | SessionListSubkeysKey) -> str:
    return (
        f"claude:{records.quoted('project_key', key['project_key'])}/{records.quoted('session_id', key['session_id'])}"
    )


def _name(key: SessionKey) -> str:
    subpath = key.get("subpath")
    return _main(key) + (f"/{quote(subpath)}" if subpath else "")


def _milliseconds(one: Session) -> int:
    return int(one.last_at.timestamp() * 1000)


def _text(entry: SessionStoreEntry) -> str:
    """What was said in an entry, else what kind of entry it is."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            for part in value:
                walk(part)
        elif isinstance(value, dict):
            for name in ("content", "text", "thinking", "summary", "customTitle", "name"):
                walk(value.get(name))

    whole: dict[str, Any] = {**entry}
    walk([whole.get("message"), whole.get("summary"), whole.get("customTitle"), whole.get("content")])
    return "\n".join(found) or str(whole["type"])
