# SPDX-License-Identifier: Apache-2.0
"""C under test: compiled with the files it needs, undefined behavior trapped, and loaded."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "native" / "src"
FIRMWARE = ROOT / "firmware" / "common"
CACHE = ROOT / "build" / "native-tests"
FLAGS = ("-std=c11", "-O2", "-g", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-cast-function-type",
         "-Wno-missing-field-initializers", "-fsanitize=undefined", "-fno-sanitize-recover=all")

SANITIZED = ("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
             "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
             "-DEFM_WITH_WORKERS=1", "-DEFM_LEAST_WORK=1")
RACES = ("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
         "-fsanitize=thread", "-pthread", "-DEFM_WITH_WORKERS=1", "-DEFM_LEAST_WORK=1",
         "-DEFM_KERNEL_AVX512=0", "-DEFM_KERNEL_AVXVNNI=0")  # those take minutes to compile

INCLUDES = tuple(f"-I{ROOT / name}" for name in ("native/include", "native/src",
                                                 "native/ports/pc", "tests/support"))

Build = Callable[..., ModuleType]


@pytest.fixture(scope="session")
def native_lib(need: Callable[[str], str]) -> Build:
    """`native_lib(cdef, source, sources)` compiles C and gives the cffi module (`.lib`, `.ffi`).

    `cdef` is what Python sees, `source` the C that declares or defines it, `sources` are files of
    native/src (relative to it), or any by full path. Builds are kept under build/ by content.
    """
    need("cc")

    def build(cdef: str, source: str, sources: list[Path | str]) -> ModuleType:
        files = [SOURCE / path for path in sources]
        name = f"_native_{_digest(cdef, source, files)}"
        if name in sys.modules:
            return sys.modules[name]
        library = next(_built(name), None) or _compile(name, cdef, source, files)
        return _load(name, library)

    return build


@pytest.fixture(scope="session")
def native_program(need: Callable[[str], str]) -> Callable[..., Path]:
    """`native_program("mutate")`: tests/native/mutate.c with the whole runtime, sanitized;
    `native_program(name, RACES)` finds data races, and has the PC port as well."""
    compiler = need("cc")

    def build(name: str, flags: tuple[str, ...] = SANITIZED) -> Path:
        port = (ROOT / "native" / "ports" / "pc").glob("*.c") if flags == RACES else ()
        files = [ROOT / "tests" / "native" / f"{name}.c", *sorted([*SOURCE.rglob("*.c"), *port])]
        target = CACHE / f"{name}_{_digest(name, '', files, flags)}"
        if not target.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                command = [compiler, *flags, *INCLUDES, *map(str, files), "-o",
                           f"{folder}/program"]
                built = subprocess.run(command, text=True, capture_output=True, check=False)
                assert built.returncode == 0, built.stderr
                os.replace(f"{folder}/program", target)
        return target

    return build


def _digest(cdef: str, source: str, files: list[Path], flags: tuple[str, ...] = FLAGS) -> str:
    """Every source and header counts: whatever the C includes is in there."""
    state = hashlib.sha256(repr((cdef, source, flags, sys.version, sorted(files))).encode())
    for path in sorted({*files, *SOURCE.rglob("*.h"), *FIRMWARE.glob("*.h"),
                        *(ROOT / "native" / "include").glob("*.h"),
                        *(ROOT / "native" / "ports").rglob("*.h")}):
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


def _built(name: str) -> Iterator[Path]:
    yield from (CACHE / name).glob(f"{name}*.so")


def _compile(name: str, cdef: str, source: str, files: list[Path]) -> Path:
    """Compile in a folder of its own, then move it into place: runs in parallel do not meet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    ffi = FFI()
    ffi.cdef(cdef)
    ffi.set_source(name, source, sources=[str(path) for path in files],
                   include_dirs=[str(SOURCE), str(ROOT / "native" / "include"), str(FIRMWARE)],
                   extra_compile_args=list(FLAGS), extra_link_args=["-fsanitize=undefined"])
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        ffi.compile(tmpdir=folder)
        try:
            os.rename(folder, CACHE / name)
            os.mkdir(folder)  # for TemporaryDirectory to remove
        except OSError:
            pass  # another run was first
    return next(_built(name))


def _load(name: str, library: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module
