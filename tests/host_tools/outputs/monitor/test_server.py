# SPDX-License-Identifier: Apache-2.0
"""The live page's server: what it answers, and to whom."""

import json
import socket
import urllib.error
import urllib.request

import pytest
from recorded import record_run

from edgefm.errors import BadInput
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
