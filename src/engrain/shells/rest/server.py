"""The process that serves: where it listens, who may come in, and how it ends."""

from __future__ import annotations

import ipaddress
import json
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

import engrain
from engrain.access import Keys
from engrain.errors import ConfigError
from engrain.shells.rest.application import Application

GRACE = 10  # seconds that running requests have beyond what a write may wait for its turn


class Server(uvicorn.Server):
    """Says where it is when it can be reached, and ends the streams of events when a signal comes: they would never end
    by themselves."""

    def __init__(self, config: uvicorn.Config, application: Application, url: str) -> None:
        super().__init__(config)
        self._application = application
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"serving at {self._url}" if sys.stdout.isatty() else json.dumps({"url": self._url}), flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._application.closing = True
        super().handle_exit(sig, frame)


def serve(home: str | None, host: str = "127.0.0.1", port: int = 8765) -> int:
    """Serve a home until a signal comes; the exit code. Running requests are finished then, and what is buffered is
    written. Raises ConfigError when strangers could come in, and other EngrainErrors when the home cannot be opened."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="engrain serve: %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # whoever sends garbage is not to fill the log
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port must lie in 0..65535, not {port}.")
    with engrain.open(home) as memory, _listening(host, port) as listener:
        address = listener.getsockname()[0]
        alone = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        if not alone and not Keys(memory.store, memory.world).needed():
            told = f"Whoever reaches {host} could read and change everything: make a key first, engrain keys create, "
            raise ConfigError(told + "or listen at 127.0.0.1.")
        application = Application(memory, open=alone)
        settings = uvicorn.Config(
            application.routes, log_config=None, access_log=False, server_header=False, lifespan="on", ws="none",
            timeout_graceful_shutdown=int(memory.config.busy_seconds) + GRACE, proxy_headers=False,
        )  # fmt: skip
        shown = f"[{address}]" if ":" in address else address
        server = Server(settings, application, f"http://{shown}:{listener.getsockname()[1]}")
        for number in (signal.SIGTERM, signal.SIGINT):  # before uvicorn has its own, and when it raises them again
            signal.signal(number, server.handle_exit)
        server.run(sockets=[listener])
        return 0 if server.started else 3


def _listening(host: str, port: int) -> socket.socket:
    """A socket at the address. Raises ConfigError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ConfigError(f"engrain cannot listen at {host} port {port}: {error.strerror or error}.") from error
    return listener
