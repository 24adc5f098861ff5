# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal that leads to a board's TCP port, as socat makes one."""

import os
import select
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def pty_line(url: str) -> Iterator[str]:
    """The path of a terminal for programs that know only serial ports; it lasts as the context."""
    place = urlsplit(url)
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    ended = threading.Event()
    with socket.create_connection((place.hostname, place.port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=_carry, args=(ours, line, ended))
        thread.start()
        try:
            yield os.ttyname(theirs)
        finally:
            ended.set()
            thread.join()
            os.close(ours)
            os.close(theirs)


def _carry(ours: int, line: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        ready = select.select([ours, line], [], [], 0.05)[0]
        if ours in ready:
            line.sendall(os.read(ours, 4096))
        if line in ready:
            data = line.recv(4096)
            if not data:
                return
            os.write(ours, data)
