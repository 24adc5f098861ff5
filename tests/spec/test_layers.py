# SPDX-License-Identifier: Apache-2.0
"""Arrows point down only: every import and #include is read, an upward one fails."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

# Lowest floor first. A package imports from lower floors and from itself only.
PYTHON_FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("files",),
    ("console",),
    ("network", "html", "zoo"),
    ("codecs", "kernels", "ops", "images", "importers", "litert"),
    ("exporters", "lower", "planner", "quantization", "shrink"),
    ("package",),
    ("runtime",),
    ("rate_distortion",),
    ("compiler",),
    ("evaluate",),
    ("api",),
    ("demo",),
    ("training",),
)
HOST_TOOLS_FLOORS: tuple[tuple[str, ...], ...] = (
    ("link", "recording"),
    ("boards", "power"),
    ("measurement", "micropython"),
    ("outputs",),
    ("cli",),
)
NATIVE_FLOORS: tuple[tuple[str, ...], ...] = (
    ("switches.h",),
    ("edgefm_status.h", "edgefm_bytes.h", "config.h", "format.h", "switch.h"),
    ("bits", "fixed", "crc32", "rows"),
    ("kernels",),
    ("codecs", "ops", "weights"),
    ("edgefm.h",),
    ("model", "build", "transfer"),
    ("check.h", "cursor.h"),
    ("caps", "page_pool", "share"),
    ("tiles",),
    ("check_container", "check_memory", "check_maps", "check_ends", "check_ops"),
    ("check", "memory"),
    ("prepare", "run"),
    ("ports",),
)
FIRMWARE_FLOORS: tuple[tuple[str, ...], ...] = (
    ("edgefm_status.h", "edgefm_bytes.h", "edgefm.h", "decimal", "words"),
    ("port.h", "answer", "values"),
    ("link", "capability", "sha256", "profile", "store.h"),
    ("frames", "extents"),
    ("store_flash",),
    ("store", "store_write"),
    ("inference", "mlperf", "proof"),
    ("bulk", "commands", "text"),
    ("agent",),
    ("main",),
)
# Modules that import some of ours only when they are needed, and why.
LATE_IMPORTS = {
    "edgefm/importers/__init__.py": "a command that reads one kind of model waits for no other",
    "edgefm/console/command.py": "multiprocessing, which few commands use, starts slowly",
    "edgefm/demo/__main__.py": "Ctrl-C while it loads is a line already",
}
LIBC = {"stdint.h", "stddef.h", "stdbool.h", "string.h"}
POSIX = {"pthread.h", "sched.h", "signal.h", "stdatomic.h", "stdlib.h", "time.h", "unistd.h"}
INTRINSICS = {"immintrin.h", "cpuid.h", "arm_neon.h", "arm_acle.h", "arm_mve.h", "sys/auxv.h"}


def _floor(floors: tuple[tuple[str, ...], ...], *names: str) -> int:
    for number, floor in enumerate(floors):
        if any(name in floor for name in names):
            return number
    pytest.fail(f"{names[0]!r} has no floor: add it to the table in {Path(__file__).name}")


def _imports(path: Path, package: str) -> Iterator[str]:
    """The dotted names of our own packages that a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert not isinstance(node, ast.ImportFrom), f"{path}: relative import"
            continue
        yield from (name for name in names if name.split(".")[0] == package)


@pytest.mark.parametrize(("package", "floors"), [("edgefm", PYTHON_FLOORS),
                                                 ("host_tools", HOST_TOOLS_FLOORS)])
def test_python_imports_point_down(root: Path, package: str,
                                   floors: tuple[tuple[str, ...], ...]) -> None:
    wrong = []
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[1] == "__init__":
            continue
        floor = _floor(floors, parts[1])
        targets = {name.split(".")[1] for name in _imports(path, package) if "." in name}
        wrong += [f"{'/'.join(parts)} imports {target}"
                  for target in sorted(targets & {one for each in floors for one in each})
                  if target != parts[1] and _floor(floors, target) >= floor]
    assert not wrong


def test_functions_import_none_of_our_modules(root: Path) -> None:
    """Such an import hides a circle, or should stand at the top."""
    late = {path.relative_to(root).as_posix()
            for package in ("edgefm", "host_tools") for path in (root / package).rglob("*.py")
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.ImportFrom) and node.module
            and node.module.split(".")[0] in ("edgefm", "host_tools")}
    assert late == LATE_IMPORTS.keys()


def test_firmware_includes_point_down(root: Path) -> None:
    wrong = []
    for path in sorted((root / "firmware/common").glob("*.[ch]")):
        floor = _floor(FIRMWARE_FLOORS, path.name, path.stem)
        for kind, name in re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)', path.read_text("utf-8"),
                                     re.MULTILINE):
            if kind == "<":
                if name not in LIBC:
                    wrong.append(f"{path.name} includes <{name}>")
            elif Path(name).stem != path.stem and _floor(FIRMWARE_FLOORS, name,
                                                         Path(name).stem) >= floor:
                wrong.append(f"{path.name} includes {name}")
    assert not wrong


def test_edgefm_does_not_import_host_tools(root: Path) -> None:
    for path in (root / "edgefm").rglob("*.py"):
        assert not list(_imports(path, "host_tools")), path


def test_only_the_runtime_package_touches_cffi(root: Path) -> None:
    for path in (root / "edgefm").rglob("*.py"):
        if "runtime" not in path.relative_to(root).parts:
            assert not list(_imports(path, "cffi")), path


def test_nothing_imports_training(root: Path) -> None:
    for path in (root / "edgefm").rglob("*.py"):
        if "training" not in path.relative_to(root).parts:
            names = _imports(path, "edgefm")
            assert not [name for name in names if name.startswith("edgefm.training")], path


def test_native_includes_point_down(root: Path) -> None:
    wrong = []
    for path in sorted((root / "native").rglob("*.[ch]")):
        if "examples" in path.parts:  # programs of users: they have the public headers alone
            continue
        own = _native_names(path)
        floor = _floor(NATIVE_FLOORS, *own)
        for kind, name in re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)', path.read_text("utf-8"),
                                     re.MULTILINE):
            if kind == "<":
                allowed = LIBC | (INTRINSICS if "kernels" in own else set()) | (
                    POSIX if path.parts[-2:] == ("pc", "threads.c") else set())
                if name not in allowed:
                    wrong.append(f"{path.name} includes <{name}>")
                continue
            target = (path.parent / name).resolve()
            if not target.is_file():
                target = next(p / name for p in (root / "native/src", root / "native/include")
                              if (p / name).is_file())
            names = _native_names(target)
            if not set(names) & set(own) and _floor(NATIVE_FLOORS, *names) >= floor:
                wrong.append(f"{path.name} includes {target.name}")
    assert not wrong


def _native_names(path: Path) -> tuple[str, ...]:
    """What a native file may be called in the table: its room, or its name and its stem."""
    rooms = ("kernels", "codecs", "ops", "ports", "weights", "tiles")
    inside = path.parts[len(path.parts) - path.parts[::-1].index("native"):]
    room = next((name for name in rooms if name in inside), None)
    return (room,) if room else (path.name, path.stem)
