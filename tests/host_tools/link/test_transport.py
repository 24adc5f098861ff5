# SPDX-License-Identifier: Apache-2.0
"""The same bytes through a pty, a socket, a process and memory; and what happens when they end."""

import os
import pty
import socket
import sys
import threading
import tty

import pytest

from edgefm.errors import LinkError, LinkLost
from host_tools.link.transport import MemoryTransport, ProcessTransport, open_transport

ECHO = "import os\nwhile d := os.read(0, 9999): os.write(1, d)"
DATA = bytes(range(256)) * 40


def read_all(line, count):
    got = b""
    while len(got) < count:
        piece = line.read(5.0)
        assert piece, f"{len(got)} of {count} bytes came"
        got += piece
    return got


def echo_pty():
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)

    def echo():
        try:
            while data := os.read(master, 4096):
                os.write(master, data)
        except OSError:
            pass

    threading.Thread(target=echo, daemon=True).start()
    return name, lambda: (os.close(slave), os.close(master))


def echo_socket():
    server = socket.create_server(("127.0.0.1", 0))

    def echo():
        try:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(data)
        except OSError:
            pass

    threading.Thread(target=echo, daemon=True).start()
    return f"socket://127.0.0.1:{server.getsockname()[1]}", server.close


def echo_process():
    return f"exec:{sys.executable} -c '{ECHO}'", lambda: None


@pytest.mark.parametrize("start", [echo_pty, echo_socket, echo_process])
def test_bytes_go_out_and_come_back_in_order(start):
    url, stop = start()
    line = open_transport(url)
    try:
        for at in range(0, len(DATA), 1000):
            line.write(DATA[at:at + 1000])
            assert read_all(line, len(DATA[at:at + 1000])) == DATA[at:at + 1000]
    finally:
        line.close()
        stop()


@pytest.mark.parametrize("start", [echo_pty, echo_socket, echo_process])
def test_silence_is_no_bytes(start):
    url, stop = start()
    line = open_transport(url)
    try:
        before = line.clock()
        assert line.read(0.02) == b""
        assert line.clock() - before >= 0.019
    finally:
        line.close()
        stop()


def test_a_port_has_its_speed_and_one_client():
    url, stop = echo_pty()
    line = open_transport(url, baud=9600)
    try:
        assert line.bytes_per_second == 960
        with pytest.raises(LinkError, match="cannot be opened"):
            open_transport(url)
    finally:
        line.close()
        stop()


@pytest.mark.parametrize("url", ["/dev/edgefm-no-such-port", "socket://127.0.0.1:1", "nonsense://x",
                                 "exec:edgefm-no-such-program"])
def test_what_cannot_be_opened_is_one_line(url):
    with pytest.raises(LinkError, match=r"cannot be (opened|started): \S") as error:
        open_transport(url)
    assert "\n" not in str(error.value) and str(error.value).startswith(url.removeprefix("exec:"))


def test_a_process_that_ends_is_lost():
    line = ProcessTransport([sys.executable, "-c", "print('bye', end='')"])
    assert read_all(line, 3) == b"bye"
    with pytest.raises(LinkLost, match="ended with 0"):
        line.read(5.0)
    with pytest.raises(LinkLost, match="gone while writing"):
        line.write(b"x" * 10)
    line.close()
    line.close()


def test_a_socket_that_closes_is_lost():
    server = socket.create_server(("127.0.0.1", 0))
    line = open_transport(f"socket://127.0.0.1:{server.getsockname()[1]}")
    connection, _ = server.accept()
    connection.close()
    with pytest.raises(LinkLost, match="gone while reading"):
        line.read(5.0)
    line.close()
    server.close()


def test_small_pieces_go_out_at_once_over_a_socket():
    url, stop = echo_socket()
    line = open_transport(url)
    with socket.socket(fileno=os.dup(line._port.fileno())) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    line.write(DATA[:9])
    assert read_all(line, 9) == DATA[:9]  # the line is still open
    line.close()
    stop()


def test_memory_answers_at_once_and_counts_silence():
    line = MemoryTransport(lambda data: data[::-1])
    line.write(b"abc")
    assert (line.read(9.0), line.clock()) == (b"cba", 0.0)
    assert (line.read(2.5), line.clock()) == (b"", 2.5)


def test_a_port_that_is_unplugged_is_lost():
    master, slave = pty.openpty()
    tty.setraw(slave)
    line = open_transport(os.ttyname(slave))
    os.close(slave)
    os.close(master)
    with pytest.raises(LinkLost, match="gone while reading"):
        line.read(1.0)
    with pytest.raises(LinkLost, match="gone while writing"):
        line.write(b"x")
    line.close()
    with pytest.raises(LinkLost, match="gone while reading"):
        line.read(1.0)
