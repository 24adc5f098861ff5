# SPDX-License-Identifier: Apache-2.0
"""Power meters that are not there: each speaks its instrument's wire protocol.

`Ppk2Board` and `Lpm01aBoard` turn bytes written to them into bytes to be read, as a board would;
`BoardTransport` puts one behind the interface of a serial port without waiting, `serve` behind a
real pty. What they measure is a load: amperes as a function of the sample's number.
"""

from __future__ import annotations

import json
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from edgefm.errors import LinkLost
from host_tools.power.lpm01a import RATES, WORD_RATES
from host_tools.power.meter import read_number

ADC = 1.8 / 163840 * 4
SHUNTS = (1031.64, 101.65, 10.15, 0.94, 0.043)
METADATA = "Calibrated: 1\n" + "".join(
    f"R{i}: {r:.4f}\nGS{i}: 0.0000\nGI{i}: 1.0000\nO{i}: {8 * i:.4f}\nS{i}: 0.0000\nI{i}: 0.0000\n"
    f"UG{i}: 1.0000\n" for i, r in enumerate(SHUNTS)) + "HW: 9173\nmVdd: 3000\nIA: 59\nEND"

Load = Callable[[np.ndarray], np.ndarray]


def stages(seconds, amperes, rate):
    """A load that repeats stages of given lengths (s) and currents (A), and its charge (C)."""
    ends = np.cumsum([round(s * rate) for s in seconds])

    def load(number):
        return np.array(amperes)[np.searchsorted(ends, number % ends[-1], side="right")]

    def pins(number):
        return 1 << np.searchsorted(ends, number % ends[-1], side="right")

    return load, pins, [s * a for s, a in zip(seconds, amperes, strict=True)]


class Ppk2Board:
    """A kit: words of 100,000 samples per second once it was told to start."""

    def __init__(self, load: Load, pins: Load = lambda n: np.zeros_like(n), metadata=METADATA):
        self.load, self.pins, self.metadata = load, pins, metadata
        self.running, self.number = False, 0
        self.commands = bytearray()

    def heard(self, data):
        """What it says at once to these bytes."""
        self.commands += data
        answer = b""
        for command in data:
            if command == 0x19:
                answer += self.metadata.encode()
            elif command == 0x06:
                self.running = True
            elif command == 0x07:
                self.running = False
        return answer

    def words(self, count):
        """The next samples on the wire."""
        number = np.arange(self.number, self.number + count)
        self.number += count
        current = np.asarray(self.load(number), float)
        which = np.clip(np.searchsorted([50e-6, 500e-6, 5e-3, 50e-3], current), 0, 4)
        adc = np.rint(current * np.array(SHUNTS)[which] / ADC + 2 * which).astype(np.int64)
        assert ((adc >= 0) & (adc < 1 << 14)).all()
        words = (adc | which << 14 | (number & 63) << 18
                 | np.asarray(self.pins(number)).astype(np.int64) << 24)
        return words.astype("<u4")


class Lpm01aBoard:
    """A PowerShield in its text format, and in words where it is told to.

    `stamp` stands between `TimeStamp:` and the time.
    """

    def __init__(self, load: Load, stamp: str = " "):
        self.stamp = stamp
        self.load = load
        self.running, self.number, self.rate = False, 0, 1000
        self.commands: list[str] = []
        self._line = b""

    def heard(self, data):
        """Acknowledges every command."""
        answer = b""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            command = line.decode("ascii", "replace").strip()
            self.commands.append(command)
            if command.startswith("freq "):
                rate = read_number(command[5:])
                if rate not in (*RATES, *WORD_RATES):
                    answer += f"PowerShield > error {command}\r\n\r\n".encode()
                    continue
                self.rate = int(rate)
            if command in ("start", "stop"):
                self.running = command == "start"
            if command == "stop":
                answer += b"PowerShield > Acquisition completed\r\n"
            answer += f"PowerShield > ack {command}\r\n\r\n".encode()
        return answer

    def words(self, count):
        """The next samples as messages and words, with a time stamp each second."""
        number = np.arange(self.number, self.number + count)
        amperes = np.maximum(np.asarray(self.load(number), float), 1e-12)
        power = np.clip(np.floor(np.log(4095 / amperes) / np.log(16)), 0, 14).astype(np.int64)
        words = power << 12 | np.minimum(np.rint(amperes * 16.0 ** power), 4095).astype(np.int64)
        result, began = [], 0
        for at in np.flatnonzero(number % self.rate == 0):
            ms = int(number[at]) * 1000 // self.rate
            result += [words[began:at].astype(">u2").tobytes(),
                       b"\xf0\xf3" + ms.to_bytes(4, "big") + b"\x00\xff\xff"]
            began = at
        self.number += count
        return [piece for piece in (*result, words[began:].astype(">u2").tobytes()) if piece]

    def lines(self, count):
        """The next samples as lines, with a time stamp each second."""
        result = []
        for number, amperes in zip(range(self.number, self.number + count),
                                   self.load(np.arange(self.number, self.number + count)),
                                   strict=True):
            if number % self.rate == 0:
                s = number // self.rate
                result.append(f"TimeStamp:{self.stamp}{s:03d}s 000ms, buff 00%\r\n".encode())
            exponent = int(np.floor(np.log10(max(amperes, 1e-9)))) - 3
            mantissa = round(float(amperes) / 10.0 ** exponent)
            if mantissa == 10000:
                mantissa, exponent = 1000, exponent + 1
            result.append(f"{mantissa:04d}{exponent:+03d}\r\n".encode())
        self.number += count
        return result


class BoardTransport:
    """A board behind a port where nothing waits: `stream(board, n)` are the bytes of n samples."""

    def __init__(self, board, stream, samples=1000, reads=None):
        self.name, self.bytes_per_second = "emulated", None
        self.board, self._stream, self._samples, self._reads = board, stream, samples, reads
        self._pending = b""
        self._stopped = False

    def write(self, data):
        self._pending += self.board.heard(data)

    def read(self, timeout):
        data, self._pending = self._pending, b""
        if not data and self.board.running and timeout:
            if self._reads == 0:
                raise LinkLost("emulated: gone while reading: unplugged")
            if self._reads is not None:
                self._reads -= 1
            data = self._stream(self.board, self._samples)
        elif not data and timeout:
            time.sleep(min(timeout, 0.01))
        return data

    def clock(self):
        return time.monotonic()

    def close(self):
        self._stopped = True


def serve(board, stream, rate):
    """A board on a real pty, in real time; the port's name and a function that unplugs it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.set_blocking(master, False)
    stop = threading.Event()

    def run():
        began, sent = time.monotonic(), 0
        out = b""
        while not stop.wait(0.002):
            try:
                out += board.heard(os.read(master, 4096))
            except BlockingIOError:
                pass
            except OSError:
                return
            if not board.running:
                began, sent = time.monotonic(), 0
            elif (count := int((time.monotonic() - began) * rate) - sent) > 0:
                out += stream(board, count)
                sent += count
            try:
                while out:
                    out = out[os.write(master, out):]
            except BlockingIOError:
                pass
            except OSError:
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def unplug():
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)

    return name, unplug


class OtiiServer:
    """The Otii program: one Arc whose samples appear as time goes by."""

    def __init__(self, load: Load, rate=4000, volts=3.3, clock=time.monotonic, devices=1):
        self.load, self.rate, self.volts, self.clock = load, rate, volts, clock
        self.requests: list[str] = []
        self._devices, self._began = devices, None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._connection = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            self._connection, _ = self._server.accept()
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._say({"type": "information", "info": "connected"})
            buffer = b""
            while data := self._connection.recv(4096):
                *lines, buffer = (buffer + data).split(b"\r\n")
                for line in lines:
                    request = json.loads(line)
                    self.requests.append(request["cmd"])
                    answer = self._answer(request["cmd"], request.get("data", {}))
                    self._say({"type": "response", "cmd": request["cmd"],
                               "trans_id": request["trans_id"], **answer})
        except OSError:
            pass

    def _say(self, message):
        self._connection.sendall(json.dumps(message).encode() + b"\r\n")

    def _total(self, channel):
        elapsed = 0.0 if self._began is None else self.clock() - self._began
        return {"mc": int(elapsed * self.rate), "mv": 1 + int(elapsed * self.rate / 4),
                "i1": 2, "i2": 0}[channel]

    def _answer(self, command, data):
        if command == "otii_get_devices":
            return {"data": {"devices": [{"device_id": f"arc{i}", "name": "Arc", "type": "Arc"}
                                         for i in range(self._devices)]}}
        if command in ("otii_get_active_project", "otii_create_project"):
            return {"data": {"project_id": 7 if "create" in command else -1}}
        if command == "project_start_recording":
            self._began = self.clock()
        if command == "project_get_last_recording":
            return {"data": {"recording_id": 3, "name": "Recording 1"}}
        if command == "recording_get_channel_data_count":
            return {"data": {"count": self._total(data["channel"])}}
        if command == "recording_get_channel_data":
            return {"data": self._data(data["channel"], data["index"], data["count"])}
        if command.startswith("arc_") and not data["device_id"].startswith("arc"):
            return {"type": "error", "data": {"message": "no such device"}}
        return {}

    def _data(self, channel, index, count):
        if channel in ("i1", "i2"):
            edges = [{"timestamp": 0.1, "value": True}, {"timestamp": 0.2, "value": False}]
            return {"data_type": "digital", "values": edges[index:index + count]}
        rate = self.rate if channel == "mc" else self.rate / 4
        number = np.arange(index, index + count)
        values = self.load(number) if channel == "mc" else np.full(count, self.volts)
        return {"data_type": "analog", "timestamp": index / rate, "interval": 1 / rate,
                "values": np.asarray(values, float).tolist()}

    def close(self):
        """The program ends."""
        self._server.close()
        if self._connection:
            with suppress(OSError):  # the other end may be first
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()


class JoulescopeDriver:
    """The maker's package with one instrument, which a test makes send."""

    def __init__(self, path="u/js220/000415"):
        self.path, self.published, self.functions = path, [], {}
        self.opened = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def device_paths(self):
        return [self.path] if self.path else []

    def open(self, path, mode):
        if self.opened:
            raise RuntimeError("jsdrv_open failed: device is in use")
        self.opened = True

    def close(self, path):
        self.opened = False

    def publish(self, topic, value):
        self.published.append((topic, value))

    def subscribe(self, topic, flags, function):
        self.functions[topic] = function

    def unsubscribe(self, topic, function):
        del self.functions[topic]

    def send(self, signal, first, values, decimate=20):
        """Samples `first` on of s/i, s/v or s/gpi/0, as its thread would hand them out."""
        topic = f"{self.path}/{signal}/!data"
        self.functions[topic](topic, {"sample_id": first * decimate, "decimate_factor": decimate,
                                      "sample_rate": 2_000_000, "utc": 0,
                                      "data": np.asarray(values)})


def hwmon_folder(root, name="ina219", number=0, rails=1, interval=None, power=True):
    """A chip's folder under `root` as the kernel shows it; returns it."""
    folder = root / f"hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    if interval:
        (folder / "update_interval").write_text(f"{interval}\n")
    (folder / "shunt_resistor").write_text("100000\n")
    for rail in range(1, rails + 1):
        (folder / f"in{rail}_input").write_text("0\n")
        (folder / f"curr{rail}_input").write_text("0\n")
        if power:
            (folder / f"power{rail}_input").write_text("0\n")
    return folder


PMIC = """  3V7_WL_SW_A current(0)=0.01951860A
       3V3_SYS_A current(1)=0.06541980A
      DDR_VDD2_A current(3)=0.09368928A
      DDR_VDDQ_A current(4)=0.00000000A
      VDD_CORE_A current(7)=1.61900000A
   3V7_WL_SW_V volt(8)=3.65995000V
     3V3_SYS_V volt(9)=3.31258800V
    DDR_VDD2_V volt(11)=1.10842500V
    DDR_VDDQ_V volt(12)=0.60805900V
    VDD_CORE_V volt(15)=0.84714990V
       EXT5V_V volt(24)=5.15152000V
        BATT_V volt(25)=0.00000000V
"""


def fake_vcgencmd(folder, text=PMIC):
    """A program of that name that prints what the file beside it holds."""
    (folder / "answer").write_text(text)
    program = folder / "vcgencmd"
    program.write_text(f'#!/bin/sh\n[ "$1" = pmic_read_adc ] && cat "{folder}/answer"\n')
    program.chmod(0o755)
    return program
