# SPDX-License-Identifier: Apache-2.0
"""Packages on emulated processors: the firmware of a board, or a Linux program; both are counted.

Outputs and counters are compared with this machine's. Boards count instructions themselves, Linux
programs under qemu-user are counted by a plugin of QEMU, which also tells the bytes that a board
reads in its model store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput
from edgefm.evaluate.diff import random_inputs
from edgefm.package.outline import read_outline
from edgefm.package.read import read_needs
from edgefm.runtime import Runtime
from host_tools.boards import build, registry, running
from host_tools.boards.flash import flash
from host_tools.boards.running import Running
from host_tools.link.device import Device
from host_tools.link.events import RunEnd
from host_tools.link.transport import open_transport

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / "build" / "benchmarks"
COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")
PATTERN = b"\xa5"
MARK = re.compile(r"^([0-9a-f]+) <mark_stage>:$", re.MULTILINE)
CALL = re.compile(r"^\s*([0-9a-f]+):.*\b(?:bl|jal)\b.*<efm_run>$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a board made of a package; `ticks` are instructions where `counts`."""

    same_bytes: bool
    same_counts: bool
    untouched: bool
    end: RunEnd
    counts: bool

    @property
    def cell(self) -> object:
        """For a table: the instructions, or yes, or what is wrong."""
        wrong = [text for well, text in ((self.same_bytes, "OTHER BYTES"),
                                         (self.same_counts, "OTHER COUNTS"),
                                         (self.untouched, "TOUCHED")) if not well]
        return " ".join(wrong) or (self.end.ticks if self.counts else "same")


# -- boards ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def own_boards() -> Iterator[None]:
    """Boards that are started inside are nobody else's, and end with it."""
    folder, before = tempfile.mkdtemp(), os.environ.get("EDGEFM_BOARDS")
    os.environ["EDGEFM_BOARDS"] = folder
    try:
        yield
    finally:
        for board in running.running():
            running.stop(board)
        del os.environ["EDGEFM_BOARDS"]
        if before is not None:
            os.environ["EDGEFM_BOARDS"] = before
        shutil.rmtree(folder)


def start(name: str, defines: Mapping[str, Any] | None = None,
          more: Sequence[str] = ()) -> Running:
    """Build a board's firmware and start it; `more` is for QEMU."""
    made = build.recipe(name)
    tool = "process" if "process" in made.flash else "qemu"
    options = dict(made.flash[tool])
    if tool == "qemu":
        options["more"] = [*options.get("more", ()), *more]
    board = flash(name, {tool: options}, build.build(name, defines), say=lambda line: None)
    assert board is not None
    return board


def qmp(name: str) -> Path:
    """The socket of QEMU's machine protocol of a board that was started with `qmp_words`."""
    return registry.folder() / f"{name}.qmp"


def qmp_words(name: str) -> list[str]:
    """What QEMU is told for it."""
    return ["-qmp", f"unix:{qmp(name)},server=on,wait=off"]


def run_on(board: Running, compiled: Compiled) -> Outcome:
    """Copy the package and its input, run, compare with this machine's run."""
    stream, outputs, counters = _here(compiled)
    with Device(open_transport(board.url), memory=board.memory) as device:
        device.put("net", compiled.package)
        device.put("input", stream)
        _fill(board)
        device.run("net", None, stored="input")
        end = device.last_run()
        unchanged = _is_filled(board)
        device.remove("net")
        device.remove("input")
        counted = asdict(end.counted)
        expected = {key: getattr(counters, key) for key in counted}
        if not counted["coded_bytes"]:  # this machine may lay weights out in another way
            expected |= {key: getattr(compiled.plan, key) for key in COUNTED}
        return Outcome(
            same_bytes=end.outputs_sha256 == hashlib.sha256(outputs).digest(),
            same_counts=counted == expected,
            untouched=unchanged or bool(read_needs(compiled.package).external_bytes),
            end=end, counts=device.info.unit == "instructions")


def profile_on(board: Running, compiled: Compiled) -> list[int]:
    """Instructions up to each stage, up to the end of the last one, and of the whole run."""
    stream, _, _ = _here(compiled)
    with Device(open_transport(board.url), memory=board.memory) as device:
        device.put("net", compiled.package)
        device.put("input", stream)
        found = device.profile("net", None, stored="input")
        device.remove("net")
        device.remove("input")
    start = found.begin.ticks
    return [*(stage.ticks - start for stage in found.stages), found.end.ticks]


def _here(compiled: Compiled) -> tuple[bytes, bytes, Any]:
    """The input as it is pulled, and outputs and counters of this machine's run of it."""
    inputs, package = random_inputs(compiled.graph, 0), compiled.package
    with Runtime(package) as runtime:
        here = runtime.run(inputs)
    outline = read_outline(lambda at, count: package[at:at + count], len(package), "package")
    return outline.stream(inputs), b"".join(o.tobytes() for o in here.outputs), here.counters


def _fill(board: Running) -> None:
    if board.memory is not None:
        with board.memory.path.open("r+b") as memory:
            memory.seek(board.memory.offset)
            memory.write(PATTERN * board.memory.bytes)


def _is_filled(board: Running) -> bool:
    if board.memory is None:
        return True
    with board.memory.path.open("rb") as memory:
        memory.seek(board.memory.offset)
        return memory.read(board.memory.bytes) == PATTERN * board.memory.bytes


# -- the plugin ------------------------------------------------------------------------------------


def plugin_words(program: Path, compiler: str, result: Path,
                 region: tuple[int, int] | None = None, marks: bool = False) -> list[str]:
    """What QEMU is told to count the program's calls of efm_run, and reads in a region (addresses).

    `result` then holds the last call's "instructions bytes", and with `marks` a line for each call
    of mark_stage: the instructions before it. Raises BadInput where the program has not one call
    of efm_run.
    """
    objdump = f"{compiler.removesuffix('-gcc')}-objdump"
    listing = subprocess.run([objdump, "-d", str(program)], capture_output=True, text=True,
                             check=True).stdout
    calls = CALL.findall(listing)
    if len(calls) != 1:
        raise BadInput(f"{program}: got {len(calls)} calls of efm_run, expected 1")
    where = f",from={region[0]:#x},to={region[1]:#x}" if region else ""
    mark = MARK.search(listing) if marks else None
    where += f",mark=0x{mark[1]}" if mark else ""
    return ["-plugin", f"{_plugin()},call=0x{calls[0]},out={result}{where}"]


def _plugin() -> Path:
    source = HERE / "count_plugin.c"
    target = CACHE / f"count_{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        _cc("cc", "-O2", "-shared", "-fPIC", str(source), "-o", f"{target}.{os.getpid()}")
        os.replace(f"{target}.{os.getpid()}", target)
    return target


def _cc(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadInput(f"{words[-3]} does not compile: {done.stderr.strip()[:200]}")


# -- Linux programs --------------------------------------------------------------------------------


def linux_program(board: str) -> Path:
    """linux_run.c with the runtime, compiled as the firmware of a board that is a process; kept
    under build/ by its sources and options."""
    made = replace(build.recipe(board), folders=())
    native = build.ROOT / "native"
    files = [HERE / "linux_run.c", *sorted((native / "src").rglob("*.c"))]
    digest = hashlib.sha256(repr((made, build.ALWAYS)).encode())
    for path in (*files, *sorted(native.rglob("*.h"))):
        digest.update(path.read_bytes())
    target = CACHE / f"{board}_{digest.hexdigest()[:16]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fresh = Path(folder) / board
            objects = [Path(folder) / f"{number}.o" for number in range(len(files))]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda pair: _cc(*build.compile_command(made, {}, *pair)),
                              zip(files, objects, strict=True)))
            _cc(*build.link_command(made, objects, fresh))
            os.replace(fresh, target)
    return target


def run_linux(program: Path, compiler: str, emulator: Sequence[str], compiled: Compiled) -> int:
    """Instructions of an inference under qemu-user. Raises BadInput where outputs or counters are
    not this machine's, or where QEMU does not take the plugin."""
    return _counts(program, compiler, emulator, compiled, marks=False)[0]


def profile_linux(program: Path, compiler: str, emulator: Sequence[str], compiled: Compiled
                  ) -> list[int]:
    """As profile_on, under qemu-user."""
    whole, *marks = _counts(program, compiler, emulator, compiled, marks=True)
    return [*marks, whole]


def _counts(program: Path, compiler: str, emulator: Sequence[str], compiled: Compiled, marks: bool
            ) -> list[int]:
    """Instructions of an inference, and with `marks` those before each stage and the end."""
    stream, outputs, counters = _here(compiled)
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / name for name in ("package", "input", "count")]
        names[0].write_bytes(compiled.package)
        names[1].write_bytes(stream)
        words = [*emulator, *plugin_words(program, compiler, names[2], marks=marks), str(program),
                 str(names[0]), str(names[1]), *(["marks"] if marks else [])]
        done = subprocess.run(words, capture_output=True, check=False)
        moved = counters.external_read_bytes + counters.external_write_bytes
        expected = (outputs, f"{moved} {counters.weight_read_bytes}\n".encode())
        if (done.stdout, done.stderr) != expected:
            raise BadInput(f"{' '.join(emulator)}: other outputs or counters than here, or no "
                           f"plugin: {done.stderr.decode(errors='replace').strip()[:200]}")
        return [int(line.split()[0]) for line in names[2].read_text("utf-8").splitlines()]
