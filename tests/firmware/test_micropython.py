# SPDX-License-Identifier: Apache-2.0
"""The module `edgefm` in the real MicroPython: in firmware and as a native .mpy, on this machine
and on emulated boards, with the real mpremote. Needs a checkout: MICROPY_DIR."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from micropython_port import (
    BOARDS,
    board_port,
    checkout,
    mpremote,
    native_module,
    run_unix,
    running,
    unix_port,
)

import edgefm
from host_tools.boards.switches import only
from host_tools.cli import main
from host_tools.micropython.build import COMPILERS, missing
from host_tools.micropython.romfs import romfs_image
from tools import docs

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = ROOT / "tests" / "golden" / "good"
BAD = ROOT / "tests" / "golden" / "bad"
PACKAGES = ("example", "external", "overlapped", "lossless", "ends", "operators", "mixed", "zvc",
            "rle", "float")
WAYS = ("firmware", "mpy")

# Runs packages and prints what comes out: name, digest of the outputs, bytes through memories.
RUN = """
import edgefm, hashlib

class Spi:  # memory behind a bus
    def __init__(self, size):
        self.memory = bytearray(size)
    def readinto(self, address, buffer):
        buffer[:] = self.memory[address:address + len(buffer)]
        return len(buffer)
    def write(self, address, buffer):
        self.memory[address:address + len(buffer)] = buffer

def size_of(tensor):
    count = {'int8': 1, 'uint8': 1, 'int32': 4, 'float32': 4, 'int64': 8}[tensor.dtype]
    for size in tensor.shape:
        count *= size
    return count

def bytes_for(tensor):
    return bytes((7 * at + at // 251) & 63 for at in range(size_of(tensor)))

def rows(data, tensor):
    height = tensor.shape[1]
    for y in range(height):
        yield memoryview(data)[y * len(data) // height:(y + 1) * len(data) // height]

def digest(outputs):
    made = hashlib.sha256()
    for one in outputs:
        made.update(bytes(memoryview(one)) if isinstance(one, bytearray) else bytes(one))
    return ''.join('%02x' % byte for byte in made.digest())
"""


@pytest.fixture(scope="module", autouse=True)
def _checkout(need: Callable[[str], str]) -> None:
    checkout()
    need("make")


@pytest.fixture(scope="module", params=WAYS)
def unix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
         need_module: Callable[[str], None]) -> Callable[[str], str]:
    """Runs a script on this machine: with edgefm compiled in, or as .mpy on the unmodified port."""
    folder = tmp_path_factory.mktemp("unix")
    path = None
    if request.param == "mpy":
        need_module("elftools")
        path = native_module("x64").parent
    interpreter = unix_port(request.param == "firmware")
    return lambda script: run_unix(interpreter, RUN + script, folder, path)


def host_digest(package: Path) -> str:
    """SHA-256 of the outputs on this machine for the script's inputs."""
    with edgefm.open(package) as net:
        inputs = []
        for tensor in net.inputs:
            count = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
            at = np.arange(count)
            data = ((7 * at + at // 251) & 63).astype(np.uint8).tobytes()
            inputs.append(np.frombuffer(data, tensor.dtype).reshape(tensor.shape))
        given = inputs[0] if len(inputs) == 1 else {
            tensor.name: array for tensor, array in zip(net.inputs, inputs, strict=True)}
        outputs = net.run(given).outputs
    return hashlib.sha256(b"".join(array.tobytes() for array in outputs)).hexdigest()


def test_outputs_are_the_hosts_bytes_from_buffers_and_from_rows(unix) -> None:
    printed = unix(f"""
for name in {PACKAGES!r}:
    model = edgefm.Model({str(GOOD)!r} + '/' + name + '.efm', external=bytearray(1 << 17))
    inputs = [bytes_for(tensor) for tensor in model.inputs]
    print(name, digest(model.predict(*inputs)),
          digest(model.predict(*[rows(*pair) if len(pair[1].shape) == 4 else pair[0]
                                 for pair in zip(inputs, model.inputs)])))
""")
    for line in printed.splitlines():
        name, whole, by_rows = line.split()
        assert whole == by_rows == host_digest(GOOD / f"{name}.efm"), name
    assert len(printed.splitlines()) == len(PACKAGES)


# What the guide's code speaks of: pixels, and SPI RAM of which the first four bytes are a command.
GUIDE = """
import os

class Spi:
    def __init__(self):
        self.memory, self.at = bytearray(1 << 17), -1
    def write(self, data):
        if self.at < 0:
            self.at = data[1] << 16 | data[2] << 8 | data[3]
        else:
            self.memory[self.at:self.at + len(data)] = data
    def readinto(self, buffer):
        buffer[:] = self.memory[self.at:self.at + len(buffer)]

def cs(level):
    spi.at = -1

spi = Spi()
os.chdir(FOLDER)
pixels = bytes_for(edgefm.Model('net.efm', external=bytearray(1 << 17)).inputs[0])
"""


def test_the_guides_code_runs(unix, tmp_path: Path) -> None:
    blocks = [block.text for block in docs.blocks(ROOT / "docs/MICROPYTHON.md")
              if block.language == "python"]
    assert len(blocks) == 2
    (tmp_path / "net.efm").write_bytes((GOOD / "example.efm").read_bytes())
    unix(GUIDE.replace("FOLDER", repr(str(tmp_path))) + blocks[0])
    (tmp_path / "net.efm").write_bytes((GOOD / "external.efm").read_bytes())
    assert '"/rom/net.efm"' in blocks[1]
    printed = unix(GUIDE.replace("FOLDER", repr(str(tmp_path)))
                   + blocks[1].replace("/rom/net.efm", "net.efm") + "\nprint(digest("
                   "model.predict(*[bytes_for(tensor) for tensor in model.inputs])))\n")
    assert printed.split() == [host_digest(GOOD / "external.efm")]


def test_external_memory_is_a_buffer_a_region_an_object_or_a_file(unix) -> None:
    printed = unix(f"""
import uctypes
package = {str(GOOD / 'external.efm')!r}
memory, region = bytearray(1 << 16), bytearray(1 << 16)
with open('memory.bin', 'w+b') as file:
    file.write(bytes(1 << 16))
    for external in (memory, (uctypes.addressof(region), len(region)), Spi(1 << 16), file):
        with edgefm.Model(package, external=external) as model:
            print(digest(model.predict(bytes_for(model.inputs[0]))),
                  model.profile()['external_read_bytes'], model.profile()['external_write_bytes'])
print(any(memory), any(region))
""")
    golden = json.loads((GOOD / "external.json").read_text())["counters"]
    *runs, used = printed.splitlines()
    assert set(runs) == {f"{host_digest(GOOD / 'external.efm')} {golden['external_read_bytes']} "
                         f"{golden['external_write_bytes']}"}
    assert len(runs) == 4 and used == "True True"


def test_packages_come_from_a_path_a_buffer_a_region_or_an_open_file(unix) -> None:
    printed = unix(f"""
import io, uctypes
path = {str(GOOD / 'example.efm')!r}
data = open(path, 'rb').read()
region = uctypes.addressof(data), len(data)
for source in (path, data, region, open(path, 'rb'), io.BytesIO(data)):
    model = edgefm.Model(source)
    print(digest(model.predict(bytes_for(model.inputs[0]))), model.plan()['package_in'])
""")
    lines = [line.split() for line in printed.splitlines()]
    assert {digest for digest, _ in lines} == {host_digest(GOOD / "example.efm")}
    assert [where for _, where in lines] == ["heap", "place", "place", "heap", "heap"]


def test_romfs_is_read_in_place_at_a_multiple_of_16(unix, tmp_path: Path) -> None:
    (tmp_path / "rom").write_bytes(romfs_image({
        name: (GOOD / name).read_bytes() for name in ("ends.efm", "example.efm")}))
    printed = unix(f"""
import vfs, sys
rom = bytearray(open({str(tmp_path / 'rom')!r}, 'rb').read())
if hasattr(vfs, 'VfsRom'):
    vfs.mount(vfs.VfsRom(rom), '/rom')
    model = edgefm.Model('/rom/example.efm')
    print(model.plan()['package_in'], model.plan()['package_address'] % 16,
          digest(model.predict(bytes_for(model.inputs[0]))))
else:
    print('none')
""")
    assert printed.split() in (["none"], ["place", "0", host_digest(GOOD / "example.efm")])


def test_memory_errors_say_need_and_have(unix) -> None:
    printed = unix(f"""
def tell(name, **options):
    try:
        edgefm.Model({str(GOOD)!r} + '/' + name, **options)
    except MemoryError as error:
        print(error)
tell('example.efm', fast=1000)
tell('example.efm', fast=bytearray(1000))
tell('external.efm')
tell('external.efm', external=bytearray(10))
tell('example.efm', fast=-1)
for start in range(9):
    fast = memoryview(bytearray(1200))[start:]
    model = edgefm.Model({str(GOOD)!r} + '/example.efm', fast=fast)
    print(digest(model.predict(bytes_for(model.inputs[0]))))
""")
    golden = json.loads((GOOD / "example.json").read_text())["fast_bytes"]
    outside = json.loads((GOOD / "external.json").read_text())["external_bytes"]
    lines = [line.rpartition("/")[2] for line in printed.splitlines()]
    assert lines[0] == f"example.efm: need {golden} bytes of fast memory, have 1000"
    assert lines[1] == lines[0]
    assert lines[2:5] == [
        f"external.efm: need {outside} bytes of external memory (external=), have 0",
        f"external.efm: need {outside} bytes of external memory, have 10",
        f"example.efm: need {golden} bytes of fast memory, have 0"]
    assert lines[5:] == 9 * [host_digest(GOOD / "example.efm")]


def test_damaged_packages_are_value_errors(unix, tmp_path: Path) -> None:
    printed = unix(f"""
import os
refused = 0
names = [name for name in os.listdir({str(BAD)!r}) if name.endswith('.efm')]
for name in names:
    try:
        model = edgefm.Model({str(BAD)!r} + '/' + name, external=bytearray(1 << 16))
        model.predict(*[bytes_for(tensor) for tensor in model.inputs])  # some fail only here
        print(name, 'is accepted')
    except ValueError as error:
        refused += 'EFM_BAD_' in str(error)
good = open({str(GOOD / 'example.efm')!r}, 'rb').read()
for at in range(0, len(good), 61):
    data = bytearray(good)
    data[at] ^= 0x10
    try:
        edgefm.Model(data)
        print(at, 'is accepted')
    except ValueError:
        pass
for length in range(0, len(good), 97):
    try:
        edgefm.Model(good[:length])
        print(length, 'is accepted')
    except ValueError:
        pass
print(refused == len(names) > 10)
""")
    assert printed.splitlines() == ["True"]


def test_a_model_is_as_before_after_any_exception(unix) -> None:
    printed = unix(f"""
model = edgefm.Model({str(GOOD / 'example.efm')!r})
data = bytes_for(model.inputs[0])
right = digest(model.predict(data))

def broken(kind, after):
    for number, row in enumerate(rows(data, model.inputs[0])):
        if number == after:
            if kind == 'nested':
                model.predict(data)
            elif kind == 'deinit':
                model.deinit()
            elif kind == 'short':
                row = row[:3]
            elif kind == 'type':
                row = None
            elif kind == 'interrupt':
                raise KeyboardInterrupt
            else:
                return
        yield row

for kind in ('nested', 'deinit', 'short', 'type', 'interrupt', 'end'):
    for after in range(model.inputs[0].shape[1]):
        try:
            model.predict(broken(kind, after))
            print(kind, 'went through')
        except (ValueError, TypeError, KeyboardInterrupt):
            pass
        if digest(model.predict(data)) != right:
            print(kind, 'changed the model')
for wrong in ((), (data, data), (data[1:],), (3,)):
    try:
        model.predict(*wrong)
        print(wrong, 'is accepted')
    except (ValueError, TypeError):
        pass

class Faulty(Spi):
    left = 0
    def readinto(self, address, buffer):
        Faulty.left -= 1
        return 1 if Faulty.left == 0 else super().readinto(address, buffer)
    def write(self, address, buffer):
        Faulty.left -= 1
        if Faulty.left == 0:
            raise OSError(19)
        return super().write(address, buffer)

outside = edgefm.Model({str(GOOD / 'external.efm')!r}, external=Faulty(1 << 16))
data = bytes_for(outside.inputs[0])
expected, faults = digest(outside.predict(data)), set()
for left in range(1, 40):
    Faulty.left = left
    try:
        outside.predict(data)
    except OSError as error:
        faults.add(error.args[0])
    Faulty.left = 0
    if digest(outside.predict(data)) != expected:
        print('a fault changed the model')
print(sorted(faults), digest(model.predict(bytes_for(model.inputs[0]))) == right)
""")
    assert printed.splitlines() == ["[5, 19] True"]


def test_closed_models_and_resized_buffers_are_refused(unix) -> None:
    printed = unix(f"""
data = open({str(GOOD / 'external.efm')!r}, 'rb').read()
def told(work):
    try:
        work()
        print('accepted')
    except ValueError as error:
        print(str(error))
fast, outside = bytearray(4096), bytearray(4096)
model = edgefm.Model(data, fast=fast, external=outside)
pixels = bytes_for(model.inputs[0])
fast.extend(bytes(100000))
told(lambda: model.predict(pixels))
model = edgefm.Model(data, external=outside)
model.deinit()
model.deinit()
for work in (lambda: model.predict(pixels), model.plan, model.profile, lambda: model.inputs):
    told(work)
told(edgefm.Model(data, external=outside).profile)
""")
    lines = printed.splitlines()
    assert lines[0] == "package: a buffer that the model was lent has been resized"
    assert lines[1:5] == ["package: the model is closed"] * 4
    assert "predict() has not run" in lines[5]


def test_out_takes_the_outputs_and_no_memory_is_lost(unix) -> None:
    printed = unix(f"""
import gc
model = edgefm.Model({str(GOOD / 'ends.efm')!r}, external=bytearray(1 << 16))
inputs = [bytes_for(tensor) for tensor in model.inputs]
out = [bytearray(size_of(tensor)) for tensor in model.outputs]
expected = digest(model.predict(*inputs))
print(digest(model.predict(*inputs, out=out)) == expected == digest(out))
def free():
    gc.collect()
    return gc.mem_free()
model.deinit()
before = free()
for _ in range(50):
    with edgefm.Model({str(GOOD / 'ends.efm')!r}, external=bytearray(1 << 16)) as model:
        model.predict(*inputs, out=out)
model = None
print(abs(free() - before) < 20000)
""")
    assert printed.splitlines() == ["True", "True"]


# -- boards in QEMU --------------------------------------------------------------------------------

BOARD_RUN = RUN + """
import time
def measure(path):
    model = edgefm.Model(path, external=bytearray(1 << 18))
    data = bytes_for(model.inputs[0])
    out = model.predict(data)
    start = time.ticks_us()
    model.predict(data, out=out)
    took = time.ticks_diff(time.ticks_us(), start)
    print(path, digest(out), model.plan()['package_in'], took, model.profile()['us'])
"""
MACHINES = (("MPS2_AN385", "armv6m"), ("MPS2_AN385", "armv7m"), ("MPS2_AN500", "armv7emsp"),
            ("VIRT_RV32", "rv32imc"))
ON_BOARDS = ("example", "external", "lossless", "zvc")


VWW = "vww_96_int8.tflite"
OVERHEAD = 0.03     # of predict() over the C call
MPY_BYTES = 40_000  # operators of vww, raw and one codec


@pytest.fixture
def boards(need: Callable[[str], str], need_module: Callable[[str], None]) -> None:
    """QEMU, mpremote, and what links native modules."""
    need("qemu-system-arm")
    need_module("mpremote")
    need_module("elftools")


def need_compiler(architecture: str) -> None:
    """Skips the test where this machine lacks a compiler, or its C library."""
    lacks = missing(architecture)
    if lacks:
        pytest.skip(f"needs {lacks}")


def measured(tmp_path: Path, names: Sequence[str]) -> Path:
    """A script that runs packages of /rom/."""
    script = tmp_path / "measure.py"
    script.write_text(BOARD_RUN + f"for name in {list(names)!r}:\n"
                      "    measure('/rom/' + name + '.efm')\n")
    return script


def golden_files() -> dict[str, bytes]:
    return {f"{name}.efm": (GOOD / f"{name}.efm").read_bytes() for name in ON_BOARDS}


def results(printed: str) -> list[list[str]]:
    """Path, digest, place, microseconds of predict() and of the C runtime's stages."""
    return [line.split() for line in printed.splitlines() if line.startswith("/rom/")]


def check_golden(printed: str) -> None:
    """Every package ran in place, with the host's bytes."""
    lines = results(printed)
    assert len(lines) == len(ON_BOARDS), printed
    for path, digest, where, _, _ in lines:
        assert (digest, where) == (host_digest(GOOD / Path(path).name), "place"), path


@pytest.mark.parametrize("board", ["MPS2_AN385", "MPS2_AN500"])
def test_predict_on_boards_gives_the_hosts_bytes_for_little_more_than_the_c_call(
        board: str, boards: None, tmp_path: Path, data_dir: Path) -> None:
    net = tmp_path / "net.efm"
    target = "cortex-m4" if board == "MPS2_AN500" else None
    edgefm.compile(data_dir / "models" / VWW, memory=edgefm.Memory("64K", target=target)).save(net)
    files = {**golden_files(), net.name: net.read_bytes()}
    with running(board, board_port(board, True), files, tmp_path, counting=True) as port:
        check_golden(mpremote(port, "run", str(measured(tmp_path, ON_BOARDS))))
        printed = mpremote(port, "run", str(measured(tmp_path, ["net"])))
    [[_, digest, where, took, stages]] = results(printed)
    assert (digest, where) == (host_digest(net), "place")
    assert int(stages) <= int(took) <= int(stages) * (1 + OVERHEAD)


@pytest.mark.parametrize(("board", "architecture"), MACHINES)
def test_the_native_module_runs_on_unmodified_boards(
        board: str, architecture: str, boards: None, tmp_path: Path,
        need: Callable[[str], str]) -> None:
    need(BOARDS[board].emulator)
    need_compiler(architecture)
    folder = native_module(architecture).parent
    with running(board, board_port(board, False), golden_files(), tmp_path) as port:
        check_golden(mpremote(port, "mount", str(folder), "run",
                              str(measured(tmp_path, ON_BOARDS))))


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_soft_resets_free_everything(way: str, boards: None, tmp_path: Path) -> None:
    files = golden_files()
    if way == "mpy":
        files["edgefm.mpy"] = native_module("armv7m").read_bytes()
    firmware = board_port("MPS2_AN385", way == "firmware")
    script = ("import gc\ngc.collect()\nbefore = gc.mem_free()\nimport edgefm\n"
              "one = edgefm.Model('/rom/example.efm')\nout = one.predict(bytes(1536))\n"
              "gc.collect()\nprint('free', before, gc.mem_free(), sum(out[0]))")
    with running("MPS2_AN385", firmware, files, tmp_path) as port:
        words = [word for _ in range(100) for word in ("soft-reset", "exec", script, "+")]
        printed = mpremote(port, *words[:-1])
    lines = [line for line in printed.splitlines() if line.startswith("free")]
    assert len(lines) == 100 and len(set(lines)) == 1, lines[:3]


def test_deploy_writes_romfs_and_reads_the_hash_back(boards: None, tmp_path: Path,
                                                     capfd: pytest.CaptureFixture[str]) -> None:
    firmware = board_port("MPS2_AN385", True)
    with running("MPS2_AN385", firmware, {}, tmp_path) as port:
        command = ["deploy", str(GOOD / "example.efm"), ":/rom/net.efm", "--micropython", port]
        assert main(command) == 0
        assert "SHA-256 read back" in capfd.readouterr().out
        assert main(command) == 0
        assert "is there already" in capfd.readouterr().out
        command[1:3] = [str(GOOD / "zvc.efm"), ":/rom/other.efm"]
        assert main(command) == 2
        assert "holds 'net.efm', which would go" in capfd.readouterr().err
        assert main([*command, "--replace"]) == 0
        printed = mpremote(port, "exec", "import os; print(os.listdir('/rom'))")
    assert "['other.efm']" in printed


def test_deploy_notices_that_nothing_was_written(boards: None, tmp_path: Path,
                                                 capfd: pytest.CaptureFixture[str]) -> None:
    with running("MPS2_AN385", board_port("MPS2_AN385", False), {}, tmp_path) as port:
        assert main(["deploy", str(GOOD / "example.efm"), ":/rom/net.efm", "--micropython",
                     port]) == 2
    assert "mpremote said that it wrote /rom/net.efm, but" in capfd.readouterr().err


@pytest.mark.parametrize("architecture", list(COMPILERS))
def test_the_native_module_links_for_every_architecture(
        architecture: str, need_module: Callable[[str], None]) -> None:
    need_compiler(architecture)
    need_module("elftools")
    module = native_module(architecture)
    assert module.read_bytes()[:2] == b"M\x06"
    assert json.loads((module.parent / "package.json").read_text())["urls"] == [
        ["edgefm.mpy", "edgefm.mpy"]]


def test_a_module_for_one_network_is_small(data_dir: Path, tmp_path: Path,
                                           need_module: Callable[[str], None]) -> None:
    need_compiler("armv7emsp")
    need_module("elftools")
    net = tmp_path / "net.efm"
    edgefm.compile(data_dir / "models" / VWW,
                   memory=edgefm.Memory("64K", target="cortex-m4")).save(net)
    module = native_module("armv7emsp", {**only(net), "EFM_WITH_CONTEXT": 1})
    assert module.stat().st_size <= MPY_BYTES
