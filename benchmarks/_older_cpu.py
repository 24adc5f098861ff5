# SPDX-License-Identifier: Apache-2.0
"""TFLite as it runs on an x86-64 processor without AVX-512: a peer for kernels of that family.

XNNPACK chooses its code by CPUID and has no switch. A copy of the installed package gets UD2 where
its libraries execute CPUID, and older_cpu.c, preloaded, answers without the newer features. What is
installed is not touched.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from edgefm.files.write import write_file

PACKAGE = "ai_edge_litert"
CPUID, UD2 = b"\x0f\xa2", b"\x0f\x0b"


def environment(folder: Path, keeps_avxvnni: bool) -> dict[str, str]:
    """Variables for a Python process whose TFLite believes in an older processor. Writes a copy of
    the package, about 80 MB, into `folder` once. Raises FileNotFoundError without objdump."""
    library = folder / "older_cpu.so"
    if not library.exists():
        _copy_package(folder)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library,
                        Path(__file__).with_name("older_cpu.c")], check=True)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    keep = {"OLDER_CPU_KEEPS_AVXVNNI": "1"} if keeps_avxvnni else {}
    return {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(paths)} | keep


def _copy_package(folder: Path) -> None:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None, f"{PACKAGE} is not installed"
    shutil.copytree(Path(spec.origin).parent, folder / PACKAGE)
    for library in sorted((folder / PACKAGE).glob("lib*.so")):
        write_file(library, _without_cpuid(library))


def _without_cpuid(library: Path) -> bytes:
    """The library with every CPUID instruction that a disassembler finds overwritten."""
    listing = _output("objdump", "-d", "--no-show-raw-insn", str(library))
    code = bytearray(library.read_bytes())
    for address in re.findall(r"^\s*([0-9a-f]+):\s+cpuid", listing, re.MULTILINE):
        at = _offset(int(address, 16), library)
        assert code[at:at + 2] == CPUID
        code[at:at + 2] = UD2
    return bytes(code)


def _offset(address: int, library: Path) -> int:
    """Where in the file a virtual address lies."""
    for line in _output("readelf", "-lW", str(library)).splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, size = int(words[1], 16), int(words[2], 16), int(words[4], 16)
            if start <= address < start + size:
                return address - start + offset
    raise ValueError(f"{library}: no segment has {address:#x}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
