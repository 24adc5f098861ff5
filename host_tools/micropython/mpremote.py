# SPDX-License-Identifier: Apache-2.0
"""Runs mpremote, MicroPython's own tool, as a program: its Python interface may change."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from edgefm.errors import LinkError, LinkTimeout, MissingTool

_MARK = "edgefm-says:"  # before what a script prints for us; boards print other lines, too
_SECONDS = 60.0
_SLOWEST = 2000  # bytes per second of a line


class Mpremote:
    """The device behind one port. Every call restarts its interpreter first, as mpremote does."""

    def __init__(self, port: str) -> None:
        """Raises MissingTool."""
        self.port = port
        self._program = _program()

    def call(self, *words: str, moved: int = 0) -> str:
        """Run one command line of mpremote's that moves `moved` bytes; what it printed.

        Raises LinkError with its last line, LinkTimeout.
        """
        limit = _SECONDS + moved / _SLOWEST
        try:
            done = subprocess.run([*self._program, "connect", self.port, *words], text=True,
                                  capture_output=True, check=False, stdin=subprocess.DEVNULL,
                                  errors="replace", timeout=limit)
        except subprocess.TimeoutExpired:
            raise LinkTimeout(f"{self.port}: mpremote {words[0]} took more than {limit:.0f} "
                              "seconds") from None
        if done.returncode:
            raise LinkError(f"{self.port}: mpremote {words[0]}: "
                            f"{_last_line(done.stdout, done.stderr)}")
        return done.stdout

    def ask(self, script: str, **values: Any) -> Any:
        """Run a script on the device; it leaves its answer in the variable `answer`.

        Raises LinkError when it ends otherwise.
        """
        given = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        printed = self.call("exec", f"{given}{script}\nprint({_MARK!r}, repr(answer))")
        for line in printed.splitlines():
            if line.startswith(_MARK):
                return _literal(self.port, line.removeprefix(_MARK).strip())
        raise LinkError(f"{self.port}: MicroPython did not answer; expected a line {_MARK}")


def _literal(port: str, text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise LinkError(f"{port}: got {text!r:.60} from MicroPython, expected a literal") from None


def _program() -> Sequence[str]:
    if importlib.util.find_spec("mpremote") is not None:
        return (sys.executable, "-m", "mpremote")
    found = shutil.which("mpremote")
    if found is None:
        raise MissingTool("mpremote is not installed; type: pip install 'edgefm[micropython]'")
    return (found,)


def _last_line(*printed: str) -> str:
    lines = [line for text in printed for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("mpremote: ") if lines else "it says nothing"
