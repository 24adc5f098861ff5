# SPDX-License-Identifier: Apache-2.0
"""The live page's server: what it answers, and to whom."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from recorded import record_run

from edgefm.errors import BadInput
from host_tools.outputs.monitor import server as module
from host_tools.outputs.monitor.follow import Follower
from host_tools.outputs.monitor.server import Server
from host_tools.recording import Recording


@pytest.fixture
def server(tmp_path):
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording, Server(Follower(recording)) as found:
        yield found


def get(server, path, **headers):
    request = urllib.request.Request(server.url + path, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer, answer.read()


@pytest.mark.parametrize("path", ["", "page.js", "page.css"])
def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(server, path):
    answer, data = get(server, path)
    assert b"SPDX" in data
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert b"http://" not in data and b"https://" not in data


def test_states_are_pushed(server):
    with urllib.request.urlopen(server.url + "events", timeout=20) as answer:
        line = answer.readline()
    assert line.startswith(b"data: ")
    assert json.loads(line[6:])["runs"] == 3


def test_power_between_two_times(server):
    shown = json.loads(get(server, "power?start=0.1&stop=0.2&buckets=50")[1])
    assert len(shown["rails"][0]["mean"]) == 50


@pytest.mark.parametrize("query", ["", "?start=1", "?start=2&stop=1&buckets=5",
                                   "?start=nan&stop=1&buckets=5", "?start=0&stop=1&buckets=0",
                                   "?start=0&stop=inf&buckets=5", "?start=a&stop=b&buckets=c"])
def test_impossible_windows_are_refused(server, query):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(server, f"power{query}")
    assert error.value.code == 400


@pytest.mark.parametrize("path", ["nothing", "../recording/chunks.py", "page.py", "%2e%2e/x"])
def test_other_paths_are_not_found(server, path):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(server, path)
    assert error.value.code == 404


def test_a_request_under_another_name_is_refused(server):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(server, "power?start=0&stop=1&buckets=5", Host="evil.example:80")
    assert error.value.code == 403


def test_it_listens_on_this_machine_only(server):
    assert server.url.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_one_line(server):
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(BadInput, match="cannot listen there"):
        Server(server, port=port)


def test_garbage_on_the_port_does_no_harm(server):
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"\x00\xff garbage\r\n\r\n")
        line.recv(1000)
    assert get(server, "")[0].status == 200


@pytest.mark.parametrize("query", ["?start=0&stop=1e300&buckets=5", "?start=-1e10&stop=1&buckets=5",
                                   "?start=1&stop=1.0000000001&buckets=5",
                                   "?start=0&stop=1&buckets=" + "9" * 5000])
def test_windows_beyond_all_time_are_refused(server, query):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(server, f"power{query}")
    assert error.value.code == 400


# -- too many, too slow ------------------------------------------------------------------------


def dial(server, text=b""):
    port = int(server.url.rstrip("/").rpartition(":")[2])
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(text)
    return client


EVENTS = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_streams_beyond_the_limit_are_refused_and_others_still_answered(server):
    streams = [dial(server, EVENTS) for _ in range(module.MOST_STREAMS)]
    assert all(b" 200 " in stream.recv(100) for stream in streams)
    with pytest.raises(urllib.error.HTTPError) as error:
        get(server, "events")
    assert error.value.code == 503 and b"16 pages are open already" in error.value.read()
    assert get(server, "page.js")[0].status == 200
    streams[0].close()
    assert any(b" 200 " in dial(server, EVENTS).recv(100) for _ in wait_for())
    for stream in streams:
        stream.close()


def wait_for(seconds=10.0):
    """Again and again for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.05)


def test_connections_beyond_the_limit_are_refused_without_a_thread(server):
    before = threading.active_count()
    clients = [dial(server) for _ in range(module.MOST_CONNECTIONS + 40)]
    said = [client.recv(300) for client in clients[module.MOST_CONNECTIONS:]]
    assert all(text.startswith(b"HTTP/1.1 503 ") and b"32 connections" in text for text in said)
    assert threading.active_count() <= before + 2 * module.MOST_CONNECTIONS  # each with its timer
    for client in clients:
        client.close()
    assert any(tried for _ in wait_for() if (tried := answers(server)))


def answers(server):
    try:
        return get(server, "page.css")[0].status == 200
    except (urllib.error.URLError, OSError):
        return False


def test_a_client_that_sends_nothing_or_a_byte_now_and_then_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(module._Handler, "timeout", 0.2)
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording, Server(Follower(recording)) as server:
        silent, slow = dial(server), dial(server, b"GET / HT")
        assert silent.recv(10) == b""
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 20:
                slow.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < 10


def test_a_body_nobody_asked_for_ends_the_connection(server):
    with dial(server, b"GET /page.css HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
                      b"GET /x HT") as client:
        data = b""
        while piece := client.recv(4096):
            data += piece
    assert data.count(b"HTTP/1.1 ") == 1
