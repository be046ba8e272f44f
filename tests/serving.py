"""Services for tests: a process that is started, killed and started anew, and one inside this process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import engrain
from tests import children


class Serving:
    """``engrain serve`` of one home on one port, as a process of its own."""

    def __init__(self, *, location: str, home: str | None = None, **settings: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.location = location
        named = {f"ENGRAIN_{name.upper()}": str(value) for name, value in {"embedder": "hash", **settings}.items()}
        self._environment = {**os.environ, "PYTHONPATH": children.PATH, **named}
        self._environment |= {"ENGRAIN_HOME": home or location}
        self._command = [sys.executable, "-m", "engrain", "serve", "--home", location, "--port", str(self.port)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=children.ROOT, env=self._environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        assert json.loads(line) == {"url": self.url}

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)

    def stop(self, number: int = signal.SIGTERM) -> str:
        """Ask it to end, and give what it complained about."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return err


class Inside:
    """A server in a thread of this process, of whatever memory it is given at the moment: for clocks under control."""

    def __init__(self) -> None:
        import uvicorn

        self.routes: Any = None
        self._served: Any = None
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(self._serve, interface="asgi3", log_config=None, lifespan="off", ws="none")
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        await self.routes(scope, receive, send)

    def give(self, memory: engrain.Memory) -> None:
        from engrain.shells.rest.application import Application
        from engrain.shells.rest.metrics import Tally

        self._leave()
        self._served = Application(memory, open=True, tallies=[Tally()])
        self.routes = self._served.routes

    def _leave(self) -> None:
        for threads in self._served._threads.values() if self._served else ():
            threads.shutdown()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._leave()
        self._socket.close()


class Cut:
    """A way to a service on which the answers to some requests are lost."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lose = 0  # so many answers from now on
        self.lost: list[bytes] = []  # what asked for them
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(one,), daemon=True).start()

    def _pass(self, one: socket.socket) -> None:
        asked = bytearray()

        def back() -> None:
            while answer := other.recv(1 << 20):
                if self.lose:
                    self.lose -= 1
                    self.lost.append(bytes(asked))
                    break
                asked.clear()
                one.sendall(answer)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

        with one, socket.create_connection(("127.0.0.1", self._target)) as other:
            answers = threading.Thread(target=back, daemon=True)
            answers.start()
            while more := one.recv(1 << 20):
                asked += more
                other.sendall(more)
            with suppress(OSError):  # it has gone already
                other.shutdown(socket.SHUT_RDWR)
            answers.join(10)

    def stop(self) -> None:
        self._listener.close()


def home_of(folder: Path, **settings: Any) -> Serving:
    """A service of a new home in a folder."""
    return Serving(location=str(folder / "home"), **settings)
