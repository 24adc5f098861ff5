# SPDX-License-Identifier: Apache-2.0
"""The live page over HTTP, with the standard library: server-sent events and JSON.

| path | answer |
|---|---|
| `/` | the page; `/page.js`, `/page.css` |
| `/events` | a state whenever something was added, at most `PER_SECOND` a second |
| `/power?start=&stop=&buckets=` | power, stage bands and gaps between two times |

It listens on this machine only unless it is told otherwise, and answers requests that name it by
the address it has: a page from elsewhere cannot have a browser read it under another name. More
connections or streams than there is room for are refused with 503, slow clients are cut off.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from edgefm.errors import BadInput
from edgefm.html.document import SERVED_POLICY
from host_tools.outputs.monitor.follow import Follower

PER_SECOND = 5
HEARTBEAT_SECONDS = 2.0   # a comment so that a browser that went away is noticed
MOST_CONNECTIONS = 32     # at once, each with a thread
MOST_STREAMS = 16         # of them
CLIENT_SECONDS = 10.0     # that a client may take to send or to take what comes next
REQUEST_SECONDS = 20.0    # and to send a whole request
MOST_SECONDS = 1e9        # a recording has no times beyond
LEAST_SECONDS = 1e-6      # that a drawn window lasts
LOCAL = "127.0.0.1"
FILES = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript"),
         "/page.css": ("page.css", "text/css")}


TOO_MANY = f"{MOST_CONNECTIONS} connections are open already\n".encode()
REFUSED = (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
           b"Content-Length: %d\r\n\r\n%s" % (len(TOO_MANY), TOO_MANY))


class Server:
    """The page of one recording; a context manager. Raises BadInput when it cannot listen."""

    def __init__(self, follower: Follower, host: str = LOCAL, port: int = 0) -> None:
        try:
            self._http = _Http((host, port), _Handler)
        except OSError as error:
            raise BadInput(f"{host}:{port}: cannot listen there: {error.strerror}") from None
        self._http.follower = follower
        self._http.anyone = host not in (LOCAL, "localhost", "::1")
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self._http.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._http.stopped.set()
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    """The server with what its handlers need."""

    daemon_threads = True
    request_queue_size = 2 * MOST_CONNECTIONS  # they wait no second for an answer
    follower: Follower
    anyone = False

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.stopped = threading.Event()
        self.connections = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, where there is room for one more."""
        if self.connections.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        request.settimeout(0.0)
        with suppress(OSError):
            request.send(REFUSED)
            request.recv(1 << 16)  # what stays unread would have the answer thrown away
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a browser goes away in the middle."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # events are small, and each is wanted at once
    timeout = CLIENT_SECONDS

    def handle_one_request(self) -> None:
        """One request, which must be there soon: a byte now and then holds no thread."""
        ends = threading.Timer(REQUEST_SECONDS, self._cut)
        ends.daemon = True
        self._late = ends
        ends.start()
        try:
            super().handle_one_request()
        finally:
            ends.cancel()

    def _cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def do_GET(self) -> None:
        """Answer one request."""
        self._late.cancel()
        parts = urlsplit(self.path)
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # what follows would not be read
        if not self._is_for_us():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"not under this name")
        elif parts.path in FILES:
            name, kind = FILES[parts.path]
            data = resources.files("host_tools.outputs.monitor").joinpath(name).read_bytes()
            self._answer(HTTPStatus.OK, kind, data)
        elif parts.path == "/events":
            self._stream_where_there_is_room()
        elif parts.path == "/power":
            self._power(parse_qs(parts.query))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the terminal has a table."""

    def _is_for_us(self) -> bool:
        """The name in the request is that of this machine, or any name is allowed."""
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        return self.server.anyone or name in (LOCAL, "localhost", "[::1]")

    def _power(self, query: dict[str, list[str]]) -> None:
        try:
            start, stop = (float(query[key][0]) for key in ("start", "stop"))
            buckets = int(query["buckets"][0])
        except (KeyError, ValueError):
            start = stop = math.nan
            buckets = 0
        if not (abs(start) <= MOST_SECONDS and abs(stop) <= MOST_SECONDS
                and stop - start >= LEAST_SECONDS and buckets > 0):
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", b"expected start < stop and buckets")
            return
        self._answer(HTTPStatus.OK, "application/json",
                     _json(self.server.follower.power(start, stop, buckets)))

    def _stream_where_there_is_room(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            self.close_connection = True
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain",
                         f"{MOST_STREAMS} pages are open already".encode())
            return
        try:
            self._stream()
        finally:
            self.server.streams.release()

    def _stream(self) -> None:
        self._head(HTTPStatus.OK, "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent, spoke = (-1, False), 0.0
        while not self.server.stopped.is_set():
            state = self.server.follower.look()
            mark = (state["version"], state["growing"])
            if mark != sent:
                self.wfile.write(b"data: " + _json(state) + b"\n\n")
                sent, spoke = mark, time.monotonic()
            elif time.monotonic() - spoke > HEARTBEAT_SECONDS:
                self.wfile.write(b": still here\n\n")
                spoke = time.monotonic()
            self.wfile.flush()
            self.server.stopped.wait(1 / PER_SECOND)

    def _head(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", SERVED_POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")

    def _answer(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
