"""MCP over streamable HTTP, beside the verbs: each request stands alone, for the agent of its path, under its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from engrain.access import Caller
from engrain.agent import Agent
from engrain.errors import EngrainError
from engrain.shells.mcp import Tools
from engrain.shells.rest.problems import Refusal, problem
from engrain.shells.verb import Verb

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from engrain.shells.rest.application import Application

_ASKING: ContextVar[tuple[Caller, Agent]] = ContextVar("asking")


class _Tools(Tools):
    """The tools of whoever asks."""

    @property
    def _agent(self) -> Agent:
        return _ASKING.get()[1]

    @_agent.setter
    def _agent(self, agent: Agent) -> None:
        """There is none beyond a request."""

    def _run(self, verb: Verb, arguments: dict[str, Any]) -> Any:
        if not verb.reads and not _ASKING.get()[0].may("write"):
            raise Forbidden("This key may only read.")
        return super()._run(verb, arguments)


class Forbidden(EngrainError):
    """The key does not give the right to this."""

    leads = False


class Mcp:
    """The route of MCP."""

    def __init__(self, application: Application) -> None:
        self._application = application
        memory = application.service.memory
        tools = _Tools(memory, memory.agent("none"))
        limit = memory.config.request_bytes
        self._manager = StreamableHTTPSessionManager(
            tools.server(), json_response=True, stateless=True, max_request_body_size=limit
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from engrain.shells.rest.application import response

        try:
            asked = self._application.asked(Request(scope))
            asking = await self._application.run(True, partial(self._admit, asked))
        except (Refusal, EngrainError) as error:
            await response(problem(error))(scope, receive, send)
            return
        _ASKING.set(asking)
        await self._manager.handle_request(scope, receive, send)

    def _admit(self, asked: Any) -> tuple[Caller, Agent]:
        service = self._application.service
        caller = service.admit(asked, "read")
        return caller, service.memory.agent(asked.agent, caller.tenant)
