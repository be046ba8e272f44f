"""The verbs as tools of an MCP server over stdio. Whose memory it is, is fixed when the process starts."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from mcp import types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

import engrain
from engrain.errors import EngrainError, InvalidField
from engrain.shells.fields import parse
from engrain.shells.plain import plain
from engrain.shells.schema import input_schema, output_schema
from engrain.shells.verb import Verb
from engrain.shells.verbs import verbs_of

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory
    from engrain.model.item import MemoryItem

SCHEME = "memory://"
PAGE = 50  # resources in one answer
INSTRUCTIONS = (
    "A memory that outlives this session. Before a task: recall or context, to see what is known; advise, when there "
    "are several ways of doing it. After it: observe what came of an advice, with how well that is known "
    "(claimed, executed, verified); remember what a later session should know; helpful, when what was recalled helped. "
    "When something fails: diagnose, to see what solved it before and what must not be tried again; then record_fix, "
    "with what was tried and what came of it."
)
PROMPTS = {
    "prime": (
        "What is remembered about a task, to begin it with.",
        "I am about to begin this task: {task}\n\n{context}\n\n"
        "Use what helps and say which of it you used. If there are several ways to do it, call `advise` first.",
    ),
    "reflect": (
        "Keep what a finished task has taught.",
        "This task is finished: {task}\n\n"
        "Look back at it. Call `observe` for every decision that `advise` gave you, with its outcome and the evidence. "
        "Call `helpful` for what was recalled and helped. Then `remember` what a later session should know: one thing "
        "at a time, as `success_pattern`, `error_pattern`, `preference` or `fact`, with tags, without secrets.",
    ),
}

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Stream = Any  # the SDK exports no type for its streams
_Context = Any  # the SDK's request context; nothing of it is needed


def serve(home: str | None, agent: str, tenant: str, team: str | None) -> int:
    """Serve one agent's memory until stdin closes or a signal comes; the exit code. Raises EngrainError when the home
    cannot be opened."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="engrain mcp: %(levelname)s %(message)s")
    with engrain.open(home) as memory:
        tools = Tools(memory, memory.agent(agent, tenant=tenant, team=team))
        try:
            anyio.run(_serve, tools.server(), memory)
        except* BrokenPipeError:
            _log.info("the client has left without reading our last answers")
    return 0


async def _serve(server: Server[Any], memory: Memory) -> None:
    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":  # asyncio cannot wait for signals there
            tasks.start_soon(_leave_on_signal, memory)
        async with stdio_server() as (reader, writer):
            send, readable = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            tasks.start_soon(_pass_on, reader, send, writer)
            await server.run(readable, writer, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _pass_on(reader: _Stream, send: _Stream, writer: _Stream) -> None:
    """Hand the client's messages to the server. The SDK drops a line that is not JSON; here it is answered, so that
    the client does not wait for ever."""
    async with send:
        async for message in reader:
            if not isinstance(message, ValidationError) or message.errors()[0]["type"] != "json_invalid":
                await send.send(message)
            elif str(message.errors()[0]["input"]).strip():
                await writer.send(SessionMessage(_unreadable(message)))


def _unreadable(error: ValidationError) -> types.JSONRPCError:
    """The answer to a line that is not JSON to the SDK, under its id if Python can make it out: Python's reader is
    less strict, for one with half a surrogate pair."""
    told = error.errors()[0]
    try:
        asked = json.loads(str(told["input"]))
    except (ValueError, RecursionError):
        asked = None
    id_ = asked.get("id") if isinstance(asked, dict) else None
    known = type(id_) is int or (isinstance(id_, str) and id_.isprintable())
    hint = "nothing was done. Send one JSON message a line, without half a surrogate pair (a lone \\ud800)."
    detail = types.ErrorData(code=types.PARSE_ERROR, message=f"{told['msg']}; {hint}")
    return types.JSONRPCError(jsonrpc="2.0", id=id_ if known else None, error=detail)


async def _leave_on_signal(memory: Memory) -> None:
    """Write what is buffered and end the process: a thread may still be waiting for stdin and could not be joined."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(memory.close)
            os._exit(0 if number == signal.SIGTERM else 130)


class Tools:
    """The handlers of one server, for one agent."""

    def __init__(self, memory: Memory, agent: Agent) -> None:
        self._memory = memory
        self._agent = agent
        self._verbs = {verb.name.replace("-", "_"): verb for verb in verbs_of("mcp")}

    def server(self) -> Server[Any]:
        """The server, with everything that it answers."""
        lasting = CacheHint(ttl_ms=3_600_000)
        return Server(
            "engrain",
            version=engrain.__version__,
            title="engrain",
            description="Memory that makes agents better, and can prove it.",
            instructions=INSTRUCTIONS,
            cache_hints={"tools/list": lasting, "prompts/list": lasting, "resources/templates/list": lasting},
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )

    async def list_tools(self, _: _Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[self._tool(name, verb) for name, verb in self._verbs.items()])

    def _tool(self, name: str, verb: Verb) -> types.Tool:
        return types.Tool(
            name=name,
            description=verb.help,
            input_schema=input_schema(verb.fields, self._memory.kinds),
            output_schema=output_schema(verb.returns),
            annotations=types.ToolAnnotations(
                read_only_hint=verb.reads,
                destructive_hint=verb.destroys,
                idempotent_hint=verb.reads or verb.repeats,
                open_world_hint=False,
            ),
        )

    async def call_tool(self, _: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        verb = self._verbs.get(params.name)
        if verb is None:
            raise MCPError(
                types.INVALID_PARAMS, f"There is no tool {params.name!r}; there are {', '.join(self._verbs)}."
            )
        try:
            value = await _in_thread(partial(self._run, verb, params.arguments or {}))
        except EngrainError as error:
            return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not end the session; it is logged in full)
            _log.exception("the tool %s failed", params.name)
            text = f"engrain failed at this ({type(error).__name__}); other arguments will not help. Go on without it."
            return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
        text = value["context"] if verb.name == "context" else json.dumps(value, ensure_ascii=False)
        return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=value)

    def _run(self, verb: Verb, arguments: dict[str, Any]) -> Any:
        self._memory.take_in()  # what the session's hooks saw meanwhile
        return plain(verb.run(self._memory, self._agent, parse(verb.fields, arguments)), lean=True)

    async def list_resources(
        self, _: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        after = params.cursor if params else None
        items = await _asked(partial(self._agent.list, limit=PAGE, after=after))
        more = items[-1].id if len(items) == PAGE else None
        return types.ListResourcesResult(resources=[_resource(item) for item in items], next_cursor=more)

    async def list_templates(
        self, _: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        template = types.ResourceTemplate(
            name="memory",
            title="One memory",
            uri_template=SCHEME + "{id}",
            description="A memory by its id, with everything that is known about it.",
            mime_type="application/json",
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, _: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        if not params.uri.startswith(SCHEME):
            raise MCPError(types.INVALID_PARAMS, f"There is no resource {params.uri!r}; they begin with {SCHEME}.")
        item = await _asked(partial(self._agent.get, params.uri.removeprefix(SCHEME)))
        if item is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no resource {params.uri!r}.", {"uri": params.uri})
        text = json.dumps(plain(item), ensure_ascii=False)
        content = types.TextResourceContents(uri=params.uri, mime_type="application/json", text=text)
        return types.ReadResourceResult(contents=[content])

    async def list_prompts(self, _: _Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        task = types.PromptArgument(name="task", description="The task, in plain words.", required=True)
        prompts = [types.Prompt(name=name, description=told, arguments=[task]) for name, (told, _) in PROMPTS.items()]
        return types.ListPromptsResult(prompts=prompts)

    async def get_prompt(self, _: _Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name not in PROMPTS:
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {params.name!r}; there are {', '.join(PROMPTS)}.")
        task = (params.arguments or {}).get("task", "")
        told, text = PROMPTS[params.name]
        if not task.strip():
            raise MCPError(types.INVALID_PARAMS, "The prompt needs its argument task.")
        known = await _asked(partial(self._agent.context, task)) if "{context}" in text else ""
        filled = text.format(task=task, context=known or "Nothing is remembered about it yet.")
        message = types.PromptMessage(role="user", content=types.TextContent(text=filled))
        return types.GetPromptResult(description=told, messages=[message])


async def _in_thread(call: Callable[[], _T]) -> _T:
    """The engine blocks; the loop must not."""
    return await anyio.to_thread.run_sync(call)


async def _asked(call: Callable[[], _T]) -> _T:
    """As ``_in_thread``, for requests that have no result to carry an error: it becomes one of the protocol."""
    try:
        return await _in_thread(call)
    except InvalidField as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from error
    except EngrainError as error:
        raise MCPError(types.INTERNAL_ERROR, str(error)) from error


def _resource(item: MemoryItem) -> types.Resource:
    first = " ".join(item.content.split())
    return types.Resource(
        name=item.key or item.id,
        title=first if len(first) <= 80 else first[:79] + "…",
        uri=SCHEME + item.id,
        mime_type="application/json",
    )
