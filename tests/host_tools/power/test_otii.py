# SPDX-License-Identifier: Apache-2.0
"""The Otii driver against a server that speaks the program's protocol."""

import socket
import threading

import numpy as np
import pytest
from meters import OtiiServer

from edgefm.errors import BadMessage, LinkError, LinkLost
from host_tools.power import otii
from host_tools.power.meter import MeterOptions
from host_tools.power.otii import Connection


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def server(time):
    server = OtiiServer(lambda n: 0.01 + 1e-6 * (n % 100), clock=time)
    yield server
    server.close()


def test_samples_are_fetched_as_they_come(server, time):
    meter = otii.open_meter(MeterOptions(server.address, {"volts": "3.3"}))
    meter.start()
    time.now = 0.25
    first = meter.read(0.1)
    time.now = 0.5
    second = meter.read(0.1)
    assert (first.count, second.count) == (1000, 1000) and meter.lost == 0
    got = np.concatenate([first.values[0], second.values[0]])
    np.testing.assert_allclose(got, 0.01 + 1e-6 * (np.arange(2000) % 100))
    assert (first.values[1] == 3.3).all()
    pins = np.concatenate([first.values[2], second.values[2]])
    assert np.flatnonzero(np.diff(pins)).tolist() == [399, 799]
    assert np.diff(first.times) == pytest.approx(250_000, abs=1)
    meter.stop()
    meter.close()
    assert server.requests[-1] == "project_stop_recording"
    assert "arc_set_main" in server.requests


def test_requests_go_out_at_once(server):
    connection = Connection(server.address)
    assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()


def test_nothing_new_is_no_piece(server):
    meter = otii.open_meter(MeterOptions(server.address))
    meter.start()
    assert meter.read(0.01) is None
    assert "arc_set_main" not in server.requests
    meter.close()


def test_a_program_that_ends_is_lost(server, time):
    meter = otii.open_meter(MeterOptions(server.address))
    meter.start()
    server.close()
    with pytest.raises(LinkLost):
        for _ in range(3):
            meter.read(0.01)


def test_no_instrument_and_no_program_are_said(monkeypatch):
    server = OtiiServer(lambda n: n, devices=0)
    with pytest.raises(LinkError, match="plugged in"):
        otii.open_meter(MeterOptions(server.address))
    server.close()
    for wrong in ("127.0.0.1:1", "nonsense", "127.0.0.1:x"):
        with pytest.raises(LinkError, match="cannot be reached"):
            otii.open_meter(MeterOptions(wrong))
    monkeypatch.setattr(otii, "ADDRESS", "127.0.0.1:1")
    assert otii.find() == []


WRONG = [{}, {"values": "x"}, {"values": [1, None], "timestamp": 0, "interval": 1},
         {"values": [[1]], "timestamp": 0, "interval": 1}, {"values": [1], "timestamp": 0},
         {"values": [1], "timestamp": 0, "interval": 0},
         {"values": [1e999], "timestamp": 0, "interval": 1}]


def answering(server, channel, data):
    """The server, whose data of one channel are these."""
    given = server._data
    server._data = lambda name, *where: data if name == channel else given(name, *where)
    meter = otii.open_meter(MeterOptions(server.address))
    meter.start()
    return meter


@pytest.mark.parametrize("data", WRONG, ids=str)
def test_currents_that_are_none_are_refused(server, time, data):
    meter = answering(server, "mc", data)
    time.now = 0.25
    with pytest.raises(BadMessage, match="an invalid answer|not a JSON object"):
        meter.read(0.01)
    meter.close()


@pytest.mark.parametrize("channel", ["mv", "i1"])
@pytest.mark.parametrize("data", WRONG, ids=str)
def test_slow_channels_that_are_none_are_refused_or_leave_no_sample(server, time, channel, data):
    meter = answering(server, channel, data)
    time.now = 0.25
    try:
        piece = meter.read(0.01)
    except BadMessage:
        pass
    else:
        assert piece.count in (0, 1000) and np.isfinite(piece.values).all()
    meter.close()


@pytest.mark.parametrize("answer", [b"[]\r\n", b"{\r\n", b"\xff\xfe\r\n"])
def test_answers_that_are_none_are_refused(answer):
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        connection.sendall(answer)
        connection.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    connection = Connection(f"127.0.0.1:{server.getsockname()[1]}")
    with pytest.raises(BadMessage, match="not a JSON object"):
        connection.ask("otii_get_devices")
    connection.close()
    server.close()


def test_answers_that_never_end_are_refused():
    there, here = socket.socketpair()
    connection = Connection.__new__(Connection)
    connection.name, connection._buffer, connection._number = "otii", b"", 0
    connection._socket = here
    threading.Thread(target=there.sendall, args=(b'{"type": "progress"}\r\n' * 2000,),
                     daemon=True).start()
    with pytest.raises(BadMessage, match="1000 lines without the answer"):
        connection.ask("otii_get_devices")
    connection.close()
    there.close()


def test_more_samples_than_asked_for_are_refused(server, time, monkeypatch):
    meter = otii.open_meter(MeterOptions(server.address))
    meter.start()
    time.now = 0.25
    monkeypatch.setattr(meter._connection, "ask", lambda command, **data: {
        "count": 2, "values": [0.0] * 3, "timestamp": 0.0, "interval": 1.0})
    with pytest.raises(BadMessage, match="3 samples of mv, expected 2"):
        meter.read(0.1)
