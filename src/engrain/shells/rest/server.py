"""The process that serves: where it listens, who may come in, and how it ends."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import engrain
from engrain.errors import ConfigError
from engrain.shells.child import ENDS, daemon
from engrain.shells.rest.application import Application
from engrain.shells.rest.metrics import Tally

HEAD_SECONDS = 10.0  # between two looks at whether a connection is used
GRACE = 10  # seconds that running requests have beyond what a write may wait for its turn
_SHARES = getattr(socket, "SO_REUSEPORT", 0) if sys.platform == "linux" else 0  # elsewhere it deals nothing out
AT_ONCE = 5  # seconds; a worker that lives no longer would not live longer the next time
_log = logging.getLogger(__name__)


class Patience(HttpToolsProtocol):
    """A connection that is ended when for long no request has come in whole: uvicorn ends those that are silent after a
    request, not those that are silent before it or in the middle of its head."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._look, None)

    def _look(self, before: object) -> None:
        now = self.cycle
        if now is before and (now is None or now.response_complete):
            self.transport.close()
        elif not self.transport.is_closing():
            self.loop.call_later(HEAD_SECONDS, self._look, now)


class Server(uvicorn.Server):
    """Says where it is when it can be reached, and ends the streams of events when a signal comes: they would never end
    by themselves."""

    def __init__(self, config: uvicorn.Config, application: Application, url: str, parent: int) -> None:
        super().__init__(config)
        self._application = application
        self._url = url
        self._parent = parent
        self.asked = False  # to end, perhaps before it has begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._url:
            print(f"serving at {self._url}" if sys.stdout.isatty() else json.dumps({"url": self._url}), flush=True)

    async def on_tick(self, counter: int) -> bool:
        """A worker does not outlive whoever watches it."""
        left = self._parent != 0 and os.getppid() != self._parent
        self._application.closing = self._application.closing or left
        return await super().on_tick(counter) or left

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._application.closing = self.asked = True
        super().handle_exit(sig, frame)


def serve(home: str | None, host: str = "127.0.0.1", port: int = 8765, workers: int = 1) -> int:
    """Serve a home until a signal comes; the exit code. Running requests are finished then, and what is buffered is
    written. ``workers`` are processes that share the port: Python computes on one core in each. Raises ConfigError when
    strangers could come in, and other EngrainErrors when the home cannot be opened."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="engrain serve: %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # whoever sends garbage is not to fill the log
    for name, value, least, most in (("port", port, 0, 65_535), ("workers", workers, 1, 64)):
        if not least <= value <= most:
            raise ConfigError(f"{name} must lie in {least}..{most}, not {value}.")
    if workers > 1 and not hasattr(os, "fork"):
        raise ConfigError("Several workers need a system that can fork.")
    with _listening(host, port, workers > 1) as listener:
        address = listener.getsockname()[0]
        alone = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        with engrain.open(home) as memory:
            if not alone and not memory.keys.needed():
                told = f"Whoever reaches {host} could read and change everything: make a key first, engrain keys "
                raise ConfigError(told + "create, or listen at 127.0.0.1.")
        tallies = tuple(Tally() for _ in range(workers))
        if workers == 1:
            return _work(home, listener, alone, tallies, 0)
        return _watch(workers, partial(_work, home, listener, alone, tallies))


def _work(home: str | None, listener: socket.socket, alone: bool, tallies: tuple[Tally, ...], number: int) -> int:
    """Serve in this process; the exit code. The first worker says where."""
    parent = os.getppid() if len(tallies) > 1 else 0
    with engrain.open(home) as memory, ExitStack() as ending:
        if number == 0:  # one is enough; another process that has a daemon too does no harm
            background = daemon(memory, home)
            background.start()
            ending.callback(background.stop)
        application = Application(memory, open=alone, tallies=tallies, number=number)
        settings = uvicorn.Config(
            application.routes, log_config=None, access_log=False, server_header=False, lifespan="on", ws="none",
            timeout_graceful_shutdown=int(memory.config.busy_seconds) + GRACE, proxy_headers=False, http=Patience,
        )  # fmt: skip
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        server = Server(settings, application, "" if number else f"http://{shown}:{port}", parent)
        for one in ENDS:  # before uvicorn has its own, and when it raises them again
            signal.signal(one, server.handle_exit)
        server.run(sockets=[_twin(listener) if parent else listener])
        return 0 if server.started or server.asked else 3


def _watch(workers: int, work: Callable[[int], int]) -> int:
    """Keep so many workers: one that dies is followed by another, unless it died at once. A signal ends all."""
    running: dict[int, tuple[int, float]] = {}
    ending = False
    code = 0

    def start(number: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # a signal is for the worker to heed once it is one
        pid = -1 if ending else os.fork()  # the end may have been asked for just now
        if not pid:
            for one in ENDS:
                signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            try:
                os._exit(work(number))
            except BaseException:  # noqa: BLE001 (told before the process ends, which unwinds into nothing)
                traceback.print_exc()
                os._exit(3)
        if pid > 0:
            running[pid] = number, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    def end(*_: object) -> None:
        nonlocal ending
        ending = True
        for pid in running:
            with suppress(ProcessLookupError):  # it has just been waited for
                os.kill(pid, signal.SIGTERM)

    for one in ENDS:
        signal.signal(one, end)
    for number in range(workers):
        start(number)
    while running:
        pid, status = os.wait()
        number, since = running.pop(pid)
        if not ending and time.monotonic() - since > AT_ONCE:
            _log.error("worker %d ended with %d; another follows", number, os.waitstatus_to_exitcode(status))
            start(number)
        elif status and not (ending and os.waitstatus_to_exitcode(status) == -signal.SIGTERM):
            code = 3
            end()
    return code


def _twin(listener: socket.socket) -> socket.socket:
    """A socket of a worker's own at the same address: the system deals connections out among them, while of one that
    all share the first to wake takes every connection that waits."""
    if not _SHARES:
        return listener
    twin = socket.socket(listener.family, listener.type, listener.proto)
    twin.setsockopt(socket.SOL_SOCKET, _SHARES, 1)
    twin.bind(listener.getsockname())
    return twin


def _listening(host: str, port: int, shared: bool) -> socket.socket:
    """A socket at the address, which workers may share. Raises ConfigError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        if shared and _SHARES:  # the first only found out whether the address is free
            address = listener.getsockname()
            listener.close()
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, _SHARES, 1)
            listener.bind(address)
    except OSError as error:
        raise ConfigError(
            f"engrain cannot listen at {host} port {port}: {error.strerror or error}. Choose another."
        ) from error
    return listener
