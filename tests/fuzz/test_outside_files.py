# SPDX-License-Identifier: Apache-2.0
"""Changed files of every kind are read, or refused in one line, in little time and memory.

A process of limited memory reads them. EDGEFM_EXAMPLES sets how many changes each kind gets.
"""

from __future__ import annotations

import io
import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_reader import MOST_GROWTH, NEW_LINE, READERS, SECONDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import random_network
from PIL import Image

from edgefm.codecs.tables_file import MapTables, write_tables
from edgefm.exporters.tflite import export_tflite
from edgefm.package.container import seal
from edgefm.package.records import CHECKED_FROM
from edgefm.training.shapes import squeezenet_shapes

EXAMPLES = int(os.environ.get("EDGEFM_EXAMPLES", "25"))
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40,
           (1 << 63) - 1, (1 << 64) - 1)
WORDS = (b"9" * 5000, b"-1", b"NaN", b"1e999", b"[" * 3000, b"{" * 3000, b'"', b"\n", b",", b"\0",
         b"\xff", b"\xef\xbb\xbf", b"(" * 3000, b"1099511627776", b"../" * 100, b"=", b"A" * 70_000)


class Reader:
    """The process that reads; started again when it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, kind: str, path: Path) -> tuple[str, int]:
        """What reading a file came to, and by how many bytes the process has grown."""
        if self._process is None:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(f"{kind} {path}\n")
        self._process.stdin.flush()
        line = self._line()
        if not line:
            code = self._process.wait()
            self._process = None
            return f"ended with {code}", 0
        answer, growth = line.rstrip().rsplit(" ", 1)
        return answer, int(growth)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent.parent / "support" / "hostile_reader.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1",
                 "PYTHONPATH": str(Path(__file__).parent.parent.parent)})
        assert self._line() == "ready\n"

    def _line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 10 * SECONDS)
        if not ready:
            self.end()
        return self._process.stdout.readline() if self._process else ""

    def end(self) -> None:
        """Kill it, if it is there."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()  # type: ignore[union-attr]
            self._process.stdin.close()  # type: ignore[union-attr]
            self._process = None


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """The process that reads."""
    made = Reader()
    yield made
    made.end()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz(packed: bool) -> bytes:
    shapes = squeezenet_shapes(3, 4, [(1, 2, 2)] * 8, 3, 1)
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(
        file, **{name: np.full(shape, 0.1, np.float16) for name, shape in shapes.items()})
    return file.getvalue()


def _tables(folder: Path) -> bytes:
    write_tables(folder / "tables.npz", {"a": MapTables("gf2", bytes(range(90)), 0.5, True)})
    return (folder / "tables.npz").read_bytes()


def _picture(kind: str, mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    if kind == "GIF":
        options = {"save_all": True, "append_images": [Image.new("RGB", (9, 7), "red")] * 3}
    file = io.BytesIO()
    Image.effect_noise((9, 7), 80).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _onnx() -> bytes:
    from onnx_models import floats, model, whole
    return model([("Conv", ["x", "w"], ["r"], {"pads": [1, 1, 1, 1]}),
                  ("Concat", ["s", "s"], ["t"], {"axis": 0}), ("Gather", ["t", "i"], ["u"], {}),
                  ("Reshape", ["r", "u"], ["f"], {}), ("Gemm", ["f", "v"], ["y"], {})],
                 {"w": floats(1, 4, 3, 3), "v": floats(72, 2), "s": whole(1, -1),
                  "i": whole(0, 3)})


def _efm(root: Path, name: str) -> bytes:
    return (root / "tests/golden/good" / f"{name}.efm").read_bytes()


SEEDS: dict[str, tuple[str, str, Callable[[Path, Path], bytes]]] = {
    "npy": ("npy", ".npy", lambda _, __: _npy(np.zeros((8, 8, 3), np.uint8))),
    "npy of floats": ("npy", ".npy", lambda _, __: _npy(np.zeros((1, 8, 8, 3), np.float32))),
    "clip": ("clip", ".npy", lambda _, __: _npy(np.zeros((3, 8, 8, 3), np.uint8))),
    "npz": ("npz", ".npz", lambda _, __: _npz(False)),
    "npz, packed": ("npz", ".npz", lambda _, __: _npz(True)),
    "tables": ("tables", ".npz", lambda folder, _: _tables(folder)),
    **{kind: ("picture", ".png", lambda _, __, kind=kind: _picture(kind))
       for kind in ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")},
    "16 bits": ("picture", ".png", lambda _, __: _picture("PNG", "I;16")),
    "mask": ("mask", ".png", lambda _, __: _picture("PNG", "P")),
    "onnx": ("onnx", ".onnx", lambda _, __: _onnx()),
    "tflite": ("tflite", ".tflite", lambda _, __: export_tflite(random_network(3))),
    "network": ("network", ".tflite", lambda _, __: export_tflite(random_network(5))),
    "efm": ("efm", ".efm", lambda _, root: _efm(root, "capped")),
    "efm, coded": ("efm", ".efm", lambda _, root: _efm(root, "context")),
    "labels": ("labels", ".csv", lambda _, __: b"file,label\na.jpg,1\nb.jpg,2\n"),
    "boxes": ("boxes", ".csv", lambda _, __: (
        b"file,class,left,top,right,bottom\na.jpg,cat,1,2,3,4\nb.jpg,1,1,2,3,4\n")),
    "names": ("names", ".txt", lambda _, __: "cat\nn01440764 tench, Tinca\nçà\n".encode()),
    "target": ("target", ".toml", lambda _, __: b'name = "a"\nfast_bytes = 65536\nburst = 64\n'),
    "sweep": ("sweep", ".json", lambda _, __: json.dumps({"points": [
        {"kl": 0.1, "difference": -1.0, "difference_error": 0.1, "kl_budget": 0.1}] * 2}).encode()),
}

CHANGES = st.lists(st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
    st.tuples(st.just("number"), st.floats(0, 1), st.sampled_from(NUMBERS),
              st.sampled_from("BHIQ"), st.booleans()),
    st.tuples(st.just("word"), st.floats(0, 1), st.sampled_from(WORDS)),
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 40)),
    st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 64), st.integers(2, 3000))),
    min_size=1, max_size=5)


def changed(data: bytes, changes: list[tuple]) -> bytes:
    """The data after one change after the other."""
    for what, place, *how in changes:
        at = int(place * len(data))
        if what == "flip" and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ how[0]]) + data[at + 1:]
        elif what == "number":
            value, code, big = how
            packed = struct.pack((">" if big else "<") + code,
                                 value % (1 << 8 * struct.calcsize(code)))
            data = data[:at] + packed + data[at + len(packed):]
        elif what == "word":
            data = data[:at] + how[0] + data[at:]
        elif what == "cut":
            data = data[:at]
        elif what == "drop":
            data = data[:at] + data[at + how[0]:]
        elif what == "repeat":
            data = data[:at] + data[at:at + how[0]] * how[1] + data[at + how[0]:]
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_a_changed_file_is_read_or_refused_in_one_line(
        name: str, reader: Reader, tmp_path: Path, root: Path,
        need_module: Callable[[str], None]) -> None:
    kind, suffix, make = SEEDS[name]
    assert kind in READERS
    if kind == "onnx":
        need_module("onnx")
    data, path = make(tmp_path, root), tmp_path / f"net{suffix}"
    for other in ("a.jpg", "b.jpg"):
        (tmp_path / other).touch()

    def outcome(content: bytes) -> str:
        path.write_bytes(content)
        answer, growth = reader(kind, path)
        assert growth <= MOST_GROWTH, f"it takes {growth} bytes: {answer[:200]}"
        return answer

    assert outcome(data) == "ok"

    @given(CHANGES)
    @settings(max_examples=EXAMPLES, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    def check(changes: list[tuple]) -> None:
        content = changed(data, changes)
        if kind == "efm" and len(content) > CHECKED_FROM:
            content = seal(content)
        answer = outcome(content)
        assert answer == "ok" or answer.startswith("refused "), answer
        assert NEW_LINE not in answer and "MemoryError" not in answer, answer
        assert len(answer) < 1000, answer

    check()
