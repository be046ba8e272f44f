"""The application: a route for each verb, and what stands beside the verbs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from engrain.errors import EngrainError, StoreUnavailable
from engrain.shells.rest import openapi
from engrain.shells.rest.door import Door
from engrain.shells.rest.events import Events
from engrain.shells.rest.memory import AGAIN, Streams
from engrain.shells.rest.metrics import Metrics, Tally
from engrain.shells.rest.problems import Answer, Refusal, plain_problem, problem
from engrain.shells.rest.service import HOME, Asked, Service
from engrain.shells.rest.tools import Mcp
from engrain.shells.verb import Verb
from engrain.shells.verbs import verbs_of
from engrain.version import __version__

if TYPE_CHECKING:
    from engrain.memory import Memory

THREADS = 8  # for reads, and as many for writes, which may wait for each other and for other processes
# These compute more than they wait: more at once would only fight for a core. SQL of a home is answered one by one.
TURNS = {("recall", "context", "archive search"): 2, ("sql", "archive sql", "archive stats", "run-report"): 1}
HEALTHY_SECONDS = 3.0  # in which the store must answer to be called reached
BODY_SECONDS = 30.0  # in which a request must have come in
HEARTBEAT = 5.0  # seconds between two signs of life of this server among those that share the store
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Application:
    """One home, served. ``closing`` ends what would not end by itself."""

    def __init__(self, memory: Memory, *, open: bool, tallies: Sequence[Tally], number: int = 0) -> None:
        self.closing = False
        self.service = Service(memory, open=open)
        self._memory = memory
        self._threads = {kind: ThreadPoolExecutor(THREADS, f"engrain-{kind}") for kind in ("read", "write")}
        self._turns = {name: turn for names, n in TURNS.items() for turn in [asyncio.Semaphore(n)] for name in names}
        self.metrics = Metrics(memory, tallies, number)
        self._mcp = Mcp(self)
        self.routes = FastAPI(
            title="engrain", version=__version__, summary="Memory that makes agents better, and can prove it.",
            lifespan=self._lifespan, redirect_slashes=False,
            docs_url=None, redoc_url=None,  # their pages run scripts of strangers, where the memory may be open
            exception_handlers={HTTPException: self._refused, Exception: self._refused},
        )  # fmt: skip
        table = {(verb.admin, verb.name): verb for verb in verbs_of("rest")}
        for verb in table.values():
            for method in ("GET", "POST") if verb.reads else ("POST",):
                self._add(method, openapi.path_of(verb), verb)
        for method, path, name in AGAIN:
            self._add(method, path, table["{agent}" not in path, name])
        events, streams = Events(self), Streams(self)
        self._add_own("GET", "/v1/events", events.stream)
        self._add_own("POST", "/api/memory/export/{agent}", streams.export)
        self._add_own("POST", "/api/memory/import/{agent}", streams.take_in)
        self._add_own("GET", "/healthz", self._healthy)
        self._add_own("GET", "/metrics", self._told)
        self.routes.router.routes.append(Route("/mcp/{agent}", self._mcp, methods=["POST"], include_in_schema=False))
        self.routes.add_middleware(Door, metrics=self.metrics, open=open, limit=memory.config.request_bytes)
        openapi.complete(self.routes)
        made = self.routes.router.routes
        self.metrics.know(
            [(method, one.path) for one in made if isinstance(one, Route) for method in one.methods or ()]
        )

    def _add(self, method: str, path: str, verb: Verb) -> None:
        self.routes.add_api_route(
            path, partial(self._answer_verb, verb), methods=[method], response_model=None,
            **openapi.operation(verb, method, path, self._memory.kinds),
        )  # fmt: skip

    def _add_own(self, method: str, path: str, endpoint: Callable[[Request], Any]) -> None:
        self.routes.add_api_route(path, endpoint, methods=[method], response_model=None, **openapi.OWN[path])

    async def _answer_verb(self, verb: Verb, request: Request) -> Response:
        asked = self.asked(request)
        caller = None
        if asked.method != "GET":  # nobody's body is waited for before it is known whose it is
            try:
                caller = await self.run(True, partial(self.service.admit, asked, verb.rights))
                asked = replace(asked, body=await _body(request))
            except EngrainError as error:
                return response(problem(error))
        async with self._turns.get(verb.name) or nullcontext():
            return response(await self.run(verb.reads, partial(self.service.answer, verb, asked, caller)))

    def asked(self, request: Request) -> Asked:
        """The request without its body. Raises Refusal."""
        scope = request.scope
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            query = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict")
            named = {name: unquote(part, errors="strict") for name, part in scope["path_params"].items()}
        except ValueError as error:
            raise Refusal("Malformed", 400, "The path or the query is not UTF-8.") from error
        agent = named.pop("agent", None)
        return Asked(scope["method"], scope["path"], headers, query, agent=agent, named=named)

    async def run(self, reads: bool, call: Callable[[], _T]) -> _T:
        """The engine blocks; the loop must not. Reads do not wait behind writes."""
        threads = self._threads["read" if reads else "write"]
        return await asyncio.get_running_loop().run_in_executor(threads, call)

    # -- beside the verbs ---------------------------------------------------------------------------------------------

    async def _healthy(self, request: Request) -> Response:
        try:
            await asyncio.wait_for(self.run(True, self.service.keys.needed), HEALTHY_SECONDS)
        except (EngrainError, TimeoutError) as error:
            late = StoreUnavailable("the store does not answer") if isinstance(error, TimeoutError) else error
            return response(problem(late))
        return response(Answer(200, b'{"status":"ok"}'))

    async def _told(self, request: Request) -> Response:
        asked = self.asked(request)

        def told() -> Answer:
            try:
                if not self.service.admit(asked, "admin").home:
                    raise Refusal("Forbidden", 403, HOME)
                return Answer(200, self.metrics.text().encode(), media="text/plain; version=0.0.4; charset=utf-8")
            except Exception as error:  # noqa: BLE001 (as for a verb)
                return problem(error)

        return response(await self.run(True, told))

    async def _refused(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return response(plain_problem(error.status_code, error.headers))
        return response(problem(error))

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat())
        try:
            async with self._mcp.running():
                yield
        finally:
            self.closing = True
            beating.cancel()
            for threads in self._threads.values():
                threads.shutdown()

    async def _beat(self) -> None:
        while True:
            try:
                await self.run(False, self.service.replies.beat)
            except EngrainError as error:
                _log.warning("the service could not say that it is alive: %s", error)
            await asyncio.sleep(HEARTBEAT)


async def _body(request: Request) -> bytes:
    """Raises Refusal."""
    try:
        return await asyncio.wait_for(request.body(), BODY_SECONDS)
    except ClientDisconnect as error:
        raise Refusal("ClientGone", 400, "The client has left before its request was whole.") from error
    except TimeoutError as error:
        raise Refusal("RequestTimeout", 408, "The body did not come in time.", Connection="close") from error


def response(answer: Answer) -> Response:
    """An answer as the framework sends it: never kept by anything on the way."""
    headers = {**answer.headers, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(answer.body, answer.status, headers, answer.media)
