"""Conversations of the OpenAI Agents SDK (https://openai.github.io/openai-agents-python/sessions/) in a memory:
``Runner.run(agent, "…", session=EngrainSession("thread-1", memory.agent("ann")))``.

Each item of a conversation is a memory of kind ``context``, with its session and role, pinned so that it does not fade:
what was said in one conversation is recalled in another. Order is that of storing; a batch is one transaction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engrain.agent import Agent
from engrain.errors import ConfigError
from engrain.integrations import records

try:
    from agents.memory.session import SessionABC
    from agents.memory.session_settings import SessionSettings, coerce_session_settings, resolve_session_limit
    from anyio import to_thread
except ImportError as missing:
    raise ConfigError("Sessions of OpenAI Agents need its SDK: pip install 'engrain[openai-agents]'.") from missing

if TYPE_CHECKING:
    from agents import TResponseInputItem

_SOURCE = "openai-agents"


class EngrainSession(SessionABC):
    """One conversation. Several processes and threads may write into it; those of other names, agents and tenants are
    apart. ``agent`` is ``memory.agent(name)``."""

    def __init__(
        self, session_id: str, agent: Agent, session_settings: SessionSettings | dict[str, Any] | None = None
    ) -> None:
        self.session_id = session_id
        self.session_settings = (
            SessionSettings() if session_settings is None else coerce_session_settings(session_settings)
        )
        self._agent = agent
        # No colon before an id: after "token" or "secret" it would look like one.
        self._prefix = f"{records.tag(_SOURCE, records.quoted('session_id', session_id))}|"
        self._tag = records.tag(_SOURCE, session_id)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The last ``limit`` items (of the settings if that is None; all below 0), oldest first."""
        most = resolve_session_limit(limit, self.session_settings)
        return await to_thread.run_sync(self._get, most)

    def _get(self, most: int | None) -> list[TResponseInputItem]:
        found = records.newest(self._agent, self._prefix, None if most is None or most < 0 else most)
        return [one.document for one in found][::-1]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items at the end: all, or none when one is refused."""
        if items:
            await to_thread.run_sync(self._add, [dict(item) for item in items])

    def _add(self, items: list[dict[str, Any]]) -> None:
        fields = {"session": self.session_id, "tags": [self._tag], "pinned": True, "source": _SOURCE}
        batch = []
        for item in items:
            role = str(item.get("role") or item.get("type") or "item")
            key = self._prefix + self._agent.world.new_id()
            batch += records.rows(item, _text(item), key=key, role=role, **fields)
        records.keep(self._agent, batch)

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the last item away; None when there is none. Of two that ask at once, each gets another one."""
        return await to_thread.run_sync(self._pop)

    def _pop(self) -> TResponseInputItem | None:
        for one in records.newest(self._agent, self._prefix):
            if self._agent.forget(one.item.id):
                for part in one.parts:
                    self._agent.forget(part.id)
                return one.document  # type: ignore[no-any-return]
        return None

    async def clear_session(self) -> None:
        """Forget the conversation for good."""
        await to_thread.run_sync(lambda: self._agent.forget_where(kind=records.KIND, tags=[self._tag]))


def _text(item: dict[str, Any]) -> str:
    """What of an item is readable."""
    content = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        said = [part.get("text") or part.get("refusal") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in said if isinstance(text, str))
    if isinstance(item.get("name"), str):
        return f"{item['name']}({item.get('arguments', '')})"
    return json.dumps(content, default=str) if content is not None else str(item.get("type", ""))
