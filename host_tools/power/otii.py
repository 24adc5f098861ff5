# SPDX-License-Identifier: Apache-2.0
"""Qoitech Otii Arc and Ace, through the server in the Otii program (TCP, port 1905).

Requests and answers are JSON objects, one per line (CR LF). The program records; this driver asks
several times per second how many samples of the main current (`mc`) there are and fetches the new
ones, then the main voltage (`mv`), which comes slower and is held between its samples, and the
edges of the two digital inputs (`i1`, `i2`). The program loses nothing on its way to us; what the
instrument itself lost, it does not tell.
"""

from __future__ import annotations

import json
import socket
import time
from bisect import bisect_right
from typing import Any

import numpy as np

from edgefm.errors import BadMessage, DeviceError, LinkError, LinkLost, LinkTimeout
from edgefm.files.read import parse_json
from host_tools.power.meter import Floats, Meter, MeterOptions, Piece, SampleClock
from host_tools.recording.chunks import Column

KIND = "otii"
ADDRESS = "127.0.0.1:1905"
POLL_SECONDS = 0.2
ANSWER_SECONDS = 5.0
MOST_SAMPLES = 40_000   # of one request
MOST_ANSWER = 1 << 22   # bytes, 100 for each of them
MOST_OTHERS = 1000      # lines in a row that answer something else
END = b"\r\n"


class Connection:
    """One conversation with the program."""

    def __init__(self, address: str) -> None:
        host, _, port = (address or ADDRESS).rpartition(":")
        self.name = f"otii {host}:{port}"
        self._buffer = b""
        self._number = 0
        try:
            self._socket = socket.create_connection((host, int(port)), ANSWER_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, ValueError) as error:
            raise LinkError(f"{self.name}: cannot be reached: {error}; is the server of the Otii "
                            "program on?") from None

    def ask(self, command: str, **data: object) -> dict[str, Any]:
        """A request's answer. Raises DeviceError when it is refused, LinkLost, LinkTimeout."""
        self._number += 1
        number = str(self._number)
        request = {"type": "request", "cmd": command, "trans_id": number, "data": data}
        try:
            self._socket.sendall(json.dumps(request).encode() + END)
        except OSError as error:
            raise LinkLost(f"{self.name}: gone: {error}") from None
        for _ in range(MOST_OTHERS):
            answer = self._answer(command)
            if answer.get("trans_id") == number and answer.get("type") != "progress":
                break
        else:
            raise BadMessage(f"{self.name}: {MOST_OTHERS} lines without the answer to {command}")
        if answer.get("type") == "error":
            raise DeviceError(f"{self.name}: {command}: "
                              f"{' '.join(str(answer.get('data', answer)).split())[:200]}", -1)
        result = answer.get("data")
        return result if isinstance(result, dict) else {}

    def _answer(self, command: str) -> dict[str, Any]:
        while END not in self._buffer:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                raise LinkTimeout(f"{self.name}: no answer to {command}") from None
            except OSError as error:
                raise LinkLost(f"{self.name}: gone: {error}") from None
            if not data:
                raise LinkLost(f"{self.name}: the program closed the connection")
            self._buffer += data
            if len(self._buffer) > MOST_ANSWER:
                raise BadMessage(f"{self.name}: more than {MOST_ANSWER} bytes without a line end")
        line, _, self._buffer = self._buffer.partition(END)
        try:
            answer = parse_json(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise BadMessage(f"{self.name}: an answer that is not a JSON object")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Otii(Meter):
    """The first Arc or Ace of the program. `volts=3.3` switches its main output on."""

    def __init__(self, connection: Connection, options: MeterOptions) -> None:
        self._connection = connection
        try:
            options.allow("volts", "device")
            self._volts = options.number("volts")
            devices = connection.ask("otii_get_devices", timeout=3).get("devices", [])
            wanted = options.values.get("device", "")
            names = [d for d in devices if isinstance(d, dict) and wanted in
                     f"{d.get('name')} {d.get('device_id')}"]
            if not names:
                raise LinkError(f"{connection.name}: no instrument {wanted!r}; expected an Arc or "
                                "Ace that is plugged in")
            self._device = str(names[0].get("device_id"))
            self._project = self._active_project()
        except BaseException:
            connection.close()
            raise
        self.name, self.rate = KIND, None
        self.columns = (Column("VDD", "amperes", 1e-9), Column("VDD", "volts", 1e-6),
                        Column("inputs", "digital"), Column("VDD", "watts", product=(0, 1)))
        self.source = {"kind": KIND, "device": names[0].get("name"), "address": connection.name,
                       "volts": "samples of mv, each held until the next"}
        self._recording = -1
        self._clock: SampleClock | None = None
        self._taken = dict.fromkeys(("mc", "mv", "i1", "i2"), 0)
        self._held: list[tuple[float, float]] = []
        self._edges: dict[str, list[tuple[float, int]]] = {"i1": [], "i2": []}

    def _active_project(self) -> int:
        number = self._connection.ask("otii_get_active_project").get("project_id", -1)
        if number == -1:
            number = self._connection.ask("otii_create_project").get("project_id", -1)
        return int(number)

    def start(self) -> None:
        """Enable the channels, switch the output on where volts were given, record."""
        ask, device = self._connection.ask, self._device
        for channel in self._taken:
            ask("arc_enable_channel", device_id=device, channel=channel, enable=True)
        if self._volts:
            ask("arc_set_main_voltage", device_id=device, value=self._volts)
            ask("arc_set_main", device_id=device, enable=True)
        ask("project_start_recording", project_id=self._project)
        last = ask("project_get_last_recording", project_id=self._project)
        self._recording = int(last.get("recording_id", -1))

    def read(self, timeout: float) -> Piece | None:
        """The samples that are new."""
        try:
            return self._new(timeout)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BadMessage(f"{self._connection.name}: an invalid answer: "
                             f"{type(error).__name__} {error}") from None

    def _new(self, timeout: float) -> Piece | None:
        count = self._count("mc") - self._taken["mc"]
        now = time.monotonic_ns()
        if count <= 0:
            time.sleep(min(timeout, POLL_SECONDS))
            return None
        self._fetch_slow()
        data = self._fetch("mc", count)
        current = np.array(data["values"], np.float64)
        began, interval = float(data["timestamp"]), float(data["interval"])
        if current.ndim != 1 or not np.isfinite(current).all() or not 0 < interval < 10:
            raise ValueError("samples of mc that are none")
        return self._piece(current, began, interval, count, now)

    def _piece(self, current: Floats, began: float, interval: float, count: int,
               now: int) -> Piece | None:
        first = self._taken["mc"]
        self._taken["mc"] += len(current)
        if not len(current):
            return None
        if self._clock is None:
            self._clock = SampleClock(1 / interval)
            self.source["rate"] = 1 / interval
        self._clock.observe(first + count - 1, now)
        offsets = np.arange(len(current)) * interval
        start = self._clock.time(first)
        volts = np.array([self._at(self._held, began + at) for at in offsets])
        pins = np.array([sum(int(self._at(self._edges[name], began + at)) << bit
                             for bit, name in enumerate(self._edges)) for at in offsets])
        times = start + np.rint(offsets * 1e9).astype(np.int64)
        good = np.isfinite(volts)
        lost = int((~good).sum())  # before the first sample of the voltage there is no power
        self.lost += lost
        return Piece((current[good], volts[good], pins[good].astype(np.float64)),
                     times=times[good], gaps=((0, lost),) if lost else ())

    def _fetch_slow(self) -> None:
        """New samples of the voltage, new edges of the inputs."""
        if count := self._count("mv") - self._taken["mv"]:
            data = self._fetch("mv", count)
            values = data.get("values", [])
            self._taken["mv"] += len(values)
            self._held += [(float(data["timestamp"]) + i * float(data["interval"]), float(v))
                           for i, v in enumerate(values)]
            del self._held[:-MOST_SAMPLES]
        for name, edges in self._edges.items():
            if count := self._count(name) - self._taken[name]:
                values = self._fetch(name, count).get("values", [])
                self._taken[name] += len(values)
                edges += [(float(v["timestamp"]), int(bool(v["value"]))) for v in values]
                del edges[:-MOST_SAMPLES]

    @staticmethod
    def _at(steps: list[tuple[float, Any]], when: float) -> float:
        """The value that holds at a time; before the first of an analog row there is none."""
        number = bisect_right(steps, (when + 1e-9, float("inf")))
        if number:
            return float(steps[number - 1][1])
        return float("nan") if steps and isinstance(steps[0][1], float) else 0.0

    def _count(self, channel: str) -> int:
        return int(self._connection.ask("recording_get_channel_data_count", channel=channel,
                                        recording_id=self._recording, device_id=self._device
                                        ).get("count", 0))

    def _fetch(self, channel: str, count: int) -> dict[str, Any]:
        """At most MOST_SAMPLES of what is new; the rest comes with the next look."""
        count = min(count, MOST_SAMPLES)
        data = self._connection.ask("recording_get_channel_data", channel=channel,
                                    recording_id=self._recording, device_id=self._device,
                                    index=self._taken[channel], count=count)
        if len(data.get("values", ())) > count:
            raise ValueError(f"{len(data['values'])} samples of {channel}, expected {count}")
        return data

    def stop(self) -> None:
        """End the recording in the program; the output stays as it is."""
        self._connection.ask("project_stop_recording", project_id=self._project)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def clock_error(self) -> float:
        """Seconds by which times may be off: samples wait in the program for some time."""
        return (self._clock.error() if self._clock else 0.0) + POLL_SECONDS


def find() -> list[str]:
    """The program on this machine, when its server is on."""
    host, _, port = ADDRESS.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), 0.2):
            return [ADDRESS]
    except OSError:
        return []


def open_meter(options: MeterOptions) -> Meter:
    """Connect to the program at `where`. Raises LinkError."""
    return Otii(Connection(options.where or ADDRESS), options)
