# SPDX-License-Identifier: Apache-2.0
"""An mpremote whose board is a folder: `python fake_mpremote.py FOLDER connect PORT …`.

What the board would run is run here, with a `gc`, an `edgefm` and a `/rom` of its own. Files in the
folder tell it how to misbehave: `silent`, `fails`, `loses`, `prints`.
"""

import builtins
import gc
import io
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

from romfs_reader import files

HEAP_BYTES = 100_000
ROM_BYTES = 65_536


def main(folder: Path, words: list[str]) -> int:
    """What mpremote does."""
    verb, *rest = words
    if (folder / "fails").exists():
        print("mpremote: failed to access /dev/ttyACM9 (it may be in use)", file=sys.stderr)
        return 1
    if verb == "exec":
        _execute(folder, rest[0])
    elif verb == "fs" and not (folder / "loses").exists():
        source, target = (folder / word[1:] if word.startswith(":") else Path(word)
                          for word in rest[1:])
        shutil.copyfile(source, target)
    elif verb == "romfs" and not (folder / "loses").exists():
        shutil.copyfile(rest[1], folder / "rom.img")
    return 0


def _execute(folder: Path, script: str) -> None:
    if (folder / "silent").exists():
        return
    gc.mem_free = lambda: HEAP_BYTES  # type: ignore[attr-defined]
    for name in ("edgefm", "vfs"):
        sys.modules[name] = ModuleType(name)
    sys.modules["edgefm"].kernels = lambda: "dsp"  # type: ignore[attr-defined]
    sys.modules["vfs"].rom_ioctl = (  # type: ignore[attr-defined]
        lambda what, rom=0: 1 if what == 1 else bytes(ROM_BYTES))
    inside = {"open": lambda path, mode: io.BytesIO(_read(folder, path))}
    os.listdir = lambda path: sorted(_rom(folder))  # type: ignore[assignment,misc]
    if (folder / "prints").exists():
        print((folder / "prints").read_text())
        return
    exec(script, {"__builtins__": {**vars(builtins), **inside}})


def _rom(folder: Path) -> dict[str, bytes]:
    image = folder / "rom.img"
    found = files(image.read_bytes()) if image.exists() else {}
    return {name: data for name, (_, data) in found.items()}


def _read(folder: Path, path: str) -> bytes:
    if path.startswith("/rom/"):
        found = _rom(folder).get(path[5:])
        if found is None:
            raise FileNotFoundError(path)
        return found
    return (folder / path.lstrip("/")).read_bytes()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[4:]))
