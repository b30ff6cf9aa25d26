"""The HTTP port of a coordinator, for machines: `/metrics` for Prometheus, `/healthz` and `/readyz` for supervisors.

A thread of its own accepts, and a thread answers each request: what renders metrics waits for the event loop, which
has them. The server is the standard library's, as in Prometheus's own client: few ask, and by default only from here.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_PATIENCE_S = 2.0
"""How long the event loop may take to show that it runs."""
_SILENCE_S = 10.0
"""A connection that says nothing for so long is closed."""
_MOST_REQUESTS = 16
"""Requests that are answered at one time; more wait to be accepted."""


class _Handler(WSGIRequestHandler):
    """Answers one request, and logs nothing of it."""

    timeout = _SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing: a scraper comes every few seconds."""


class _Listener(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._room = threading.BoundedSemaphore(_MOST_REQUESTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # As WSGIServer's, but without looking its own name up, which may ask a name server.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, object]:
        self._room.acquire()
        try:
            return super().get_request()
        except BaseException:
            self._room.release()
            raise

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        try:
            super().shutdown_request(request)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of who went away, or spoke something else than HTTP."""


class Pages:
    """Serves the pages of a coordinator."""

    def __init__(self, ready: Callable[[], bool], metrics: WSGIApplication | None) -> None:
        """Serve nothing yet. To be made on the coordinator's event loop.

        Args:
            ready: Whether the coordinator takes work.
            metrics: Serves the page of metrics; None where there is none.
        """
        self._ready = ready
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._listener: _Listener | None = None

    def start(self, host: str, port: int) -> str:
        """Listen; return the address, with the port that was free if none was asked for.

        Raises:
            OSError: If it cannot be listened on.
        """
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._listener = _Listener((str(address[0]), int(address[1])), family)
        self._listener.set_app(self._answer)
        threading.Thread(target=self._listener.serve_forever, name="pages", daemon=True).start()
        return f"{host}:{self._listener.server_port}"

    def stop(self) -> None:
        """Close the port. Not on the loop's thread: it waits for the thread that accepts."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            return _said(start_response, HTTPStatus.METHOD_NOT_ALLOWED)
        match path:
            case "/metrics" if self._metrics is not None:
                return self._metrics(environ, start_response)
            case "/metrics":
                return _said(
                    start_response, HTTPStatus.NOT_FOUND, "no metrics: install gesso[otel]; the log says more"
                )
            case "/healthz":
                return _said(
                    start_response, HTTPStatus.OK if self._runs() else HTTPStatus.SERVICE_UNAVAILABLE
                )
            case "/readyz":
                well = self._ready() and self._runs()
                return _said(start_response, HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)
            case _:
                return _said(start_response, HTTPStatus.NOT_FOUND)

    def _runs(self) -> bool:
        """Whether the event loop runs."""
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # it is closed
            return False
        return answered.wait(_PATIENCE_S)


def _said(start_response: StartResponse, status: HTTPStatus, text: str = "") -> Iterable[bytes]:
    body = f"{text or status.phrase.lower()}\n".encode()
    start_response(
        f"{status.value} {status.phrase}",
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]
