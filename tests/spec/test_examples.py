# SPDX-License-Identifier: Apache-2.0
"""Every example is built and run, and gives what the host gives."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

import edgefm
from edgefm.exporters.tflite import export_tflite
from edgefm.runtime import Runtime
from host_tools.outputs.c_project import Net, c_project, write_c_project

Need = Callable[[str], str]
STRICT = ("-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
          "-DEFM_KERNEL_X86=0")
TRIED = {"minimal": "test_minimal_example.py", "camera_rows": "", "weights_from_file": "",
         "two_models": "", "arduino": "", "python": "", "notebook": ""}


def model(folder: Path, seed: int = 5) -> Path:
    """A small classifier."""
    net = Network(seed, name="net")
    x = net.conv(net.input(1, 32, 32, 3), 8, stride=2)
    path = folder / "net.tflite"
    path.write_bytes(export_tflite(net.graph(net.softmax(net.dense(net.mean(x), 10)))))
    return path


def exported(folder: Path, **packages: bytes) -> list[Path]:
    """The C files of an export without its program."""
    write_c_project(c_project([Net(data, f"{name}.efm", name) for name, data in packages.items()],
                              amalgamated=True), folder)
    return sorted(path for path in folder.glob("*.c") if path.name != "main.c")


def build(need: Need, folder: Path, *sources: Path, options: tuple[str, ...] = ()) -> Path:
    subprocess.run([need("gcc"), *STRICT, "-I.", *options, *sources, "-o", "program"], cwd=folder,
                   check=True)
    return folder / "program"


def outputs(package: bytes, array: Any) -> Any:
    with Runtime(package) as runtime:
        return runtime.run([array]).outputs[0]


def ramp(dtype: str = "int8") -> Any:
    """What the C examples give: it begins again with every 256 bytes."""
    return np.arange(32 * 32 * 3).astype(np.uint8).view(dtype).reshape(1, 32, 32, 3)


def test_every_example_is_tried(root: Path) -> None:
    assert {path.name for path in (root / "examples").iterdir()} == TRIED.keys()


def test_camera_rows(root: Path, need: Need, tmp_path: Path) -> None:
    package = edgefm.compile(model(tmp_path)).package
    program = build(need, tmp_path, *exported(tmp_path, net=package),
                    root / "examples/camera_rows/main.c")
    frame = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    done = subprocess.run([program], input=frame.tobytes(), capture_output=True, check=True)
    expected = outputs(package, (frame ^ 128).view(np.int8))
    assert bytes(map(int, done.stdout.split())) == expected.tobytes()
    short = subprocess.run([program], input=frame.tobytes()[:-1], capture_output=True, check=False)
    assert (short.returncode, short.stderr) == (1, b"camera_rows: EFM_HOST_FAILED\n")


def test_weights_from_a_file(root: Path, need: Need, tmp_path: Path) -> None:
    package = edgefm.compile(model(tmp_path)).package
    (runtime,) = (path for path in exported(tmp_path, net=package) if path.name == "edgefm.c")
    program = build(need, tmp_path, runtime, root / "examples/weights_from_file/main.c")
    good, bad = tmp_path / "good.efm", tmp_path / "bad.efm"
    good.write_bytes(package)
    bad.write_bytes(package[:-1] + bytes((package[-1] ^ 1,)))
    done = subprocess.run([program, good], capture_output=True, check=True)
    assert bytes(map(int, done.stdout.split())) == outputs(package, ramp()).tobytes()
    for file, said in ((bad, b"EFM_BAD_CHECKSUM"), (tmp_path / "none", b"got no package")):
        done = subprocess.run([program, file], capture_output=True, check=False)
        assert done.returncode in (1, 2) and said in done.stderr and not done.stdout


def test_two_models(root: Path, need: Need, tmp_path: Path) -> None:
    first, second = (edgefm.compile(model(tmp_path, seed)).package for seed in (5, 6))
    program = build(need, tmp_path, *exported(tmp_path, first=first, second=second),
                    root / "examples/two_models/main.c")
    done = subprocess.run([program], capture_output=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [
        int(outputs(package, ramp()).argmax()) for package in (first, second)]


STAND_IN = """
#include <cstdint>
#include <cstdio>
#include <cstdlib>
struct Port {
    void begin(long) {}
    void println(uint32_t value) { std::printf("%u\\n", (unsigned)value); }
    void println(const char *text) { std::puts(text); }
};
static Port Serial;
static void delay(unsigned) { std::exit(0); }
"""


def test_an_arduino_sketch(root: Path, need: Need, tmp_path: Path) -> None:
    """Arduino's tools are not here: a stand-in has what the sketch calls."""
    package = edgefm.compile(model(tmp_path)).package
    sources = exported(tmp_path, net=package)
    for path in sources:
        subprocess.run([need("gcc"), *STRICT, "-DARDUINO=100", "-I.", "-c", path], cwd=tmp_path,
                       check=True)
    sketch = (root / "examples/arduino/Minimal/Minimal.ino").read_text(encoding="utf-8")
    (tmp_path / "sketch.cpp").write_text(STAND_IN + sketch + "int main()\n{\n    setup();\n"
                                         "    loop();\n}\n")
    subprocess.run([need("g++"), "-std=c++11", "-Wall", "-Wextra", "-Werror", "-I.", "sketch.cpp",
                    *(f"{path.stem}.o" for path in sources), "-o", "program"], cwd=tmp_path,
                   check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, check=True)
    assert int(done.stdout) == int(outputs(package, ramp()).argmax())


def picture(folder: Path) -> Path:
    path = folder / "cat.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return path


def test_python(root: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, root / "examples/python/ten_lines.py", model(tmp_path),
                           picture(tmp_path)], cwd=tmp_path, capture_output=True, text=True,
                          check=True, env={**os.environ, "PYTHONPATH": str(root)})
    best, moved = map(int, done.stdout.splitlines()[-1].split())
    assert 0 <= best < 10 and moved == 0 and (tmp_path / "net.efm").is_file()


def test_a_notebook(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                    capsys: pytest.CaptureFixture[str]) -> None:
    """Its cells, one after the other in one namespace, as Jupyter runs them."""
    model(tmp_path), picture(tmp_path)
    monkeypatch.chdir(tmp_path)
    book = json.loads((root / "examples/notebook/edgefm.ipynb").read_text(encoding="utf-8"))
    assert (book["nbformat"], book["metadata"]["kernelspec"]["name"]) == (4, "python3")
    names = dict[str, Any]()
    for cell in book["cells"]:
        assert cell["cell_type"] in ("markdown", "code") and cell.get("outputs", []) == []
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    said = capsys.readouterr().out
    assert said.count("<PlanSummary net: ") == 3 and "class" in said
