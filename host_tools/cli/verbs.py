# SPDX-License-Identifier: Apache-2.0
"""Every verb: what it does in one line, and its module, which is imported when it is chosen.

mpremote commands with the same meaning are aliases; for others, one line says what edgefm does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from edgefm.errors import BadInput

# The first line of each module's docstring, so that `edgefm help` imports none of them.
GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "networks": {
        "compile": "Compile a model file into one package (.efm) for the runtime.",
        "check": "List every layer of a model that cannot run, with the reason and what to do.",
        "plan": "Plan a model for a memory budget: stages, placements, exact bytes per memory.",
        "inspect": "Show what a package holds: inputs, outputs, preprocessing, sections, memory.",
        "verify": "Check every checksum of packages, here or on a device.",
        "run": "Run a package, here or on a device: top-5 classes, boxes, or a segmentation.",
        "diff": "Compare every tensor of the deployed plan with the reference, value by value.",
        "validate": "Measure accuracy, traffic and speed on labeled pictures.",
        "sweep": "Measure accuracy against the bytes of a network's maps: table, JSON and chart.",
        "codecs": "Measure every codec on a network's own feature maps.",
        "zoo": "List public models, or fetch one into the cache and print where it is.",
    },
    "devices": {
        "boards": "List the boards that edgefm has firmware for, and what each lacks here.",
        "flash": "Build a board's firmware and put it there; an emulated board is started.",
        "stop": "End the boards that run on this machine.",
        "devs": "List the boards: those that run on this machine, and USB serial ports.",
        "connect": "Select the board for the verbs that follow.",
        "deploy": "Compile a model for the connected board, and copy it there.",
        "cp": "Copy files to, from and on the device.",
        "ls": "List the files on the device.",
        "cat": "Write files on the device to the standard output.",
        "rm": "Remove files from the device.",
        "df": "Show how full the device's store is.",
        "sha256": "Print the SHA-256 of files on the device, computed there.",
        "info": "Describe the device: board, build, memories, operators, codecs.",
        "reset": "Restart the device, and wait until it answers.",
        "memory": "Test the external memory of the device, and measure its bandwidth.",
        "profile": "Run a package on the device; show the time and bytes of each stage.",
    },
    "measurements": {
        "record": "Run a device verb; record the device's events and a power meter's samples.",
        "monitor": "Watch a running device, or a growing recording, in browser and terminal.",
        "report": "Write one HTML page about recordings, side by side.",
        "compare": "Compare two recordings: time, bytes, memory, energy, accuracy.",
        "export": "Turn a recording into tables or a trace for ui.perfetto.dev, a package into C.",
        "meters": "List the connected power meters and test each one briefly.",
    },
    "this command": {
        "help": "Show all verbs, or the arguments of one.",
        "doctor": "Say what is installed and connected, what is missing, and what to type.",
        "version": "Print the version of edgefm.",
        "completion": "Print a script for a shell's tab completion of edgefm commands.",
    },
})
VERBS: Mapping[str, str] = MappingProxyType(
    {name: summary for group in GROUPS.values() for name, summary in group.items()})
ALIASES: Mapping[str, str] = MappingProxyType({
    "sha256sum": "sha256", "soft-reset": "reset",
    "-h": "help", "--help": "help", "--version": "version"})
FILE_VERBS = ("ls", "cp", "rm", "cat", "sha256sum", "sha256", "df")  # behind `fs`
_PYTHON = "a device with edgefm runs networks, not Python; `edgefm run :net.efm INPUT` runs one"
_FLAT = "the store of a device has no folders; `edgefm cp FILE :NAME` puts a file there"
_WHOLE = "files on a device are replaced as a whole; change one here, then `edgefm cp FILE :NAME`"
ELSEWHERE: Mapping[str, str] = MappingProxyType({
    "exec": _PYTHON, "eval": _PYTHON, "repl": _PYTHON,
    "mip": "there are no Python packages; `edgefm zoo get NAME` fetches models, `edgefm deploy "
           "MODEL` compiles one and copies it",
    "resume": "edgefm never restarts a device on its own; omit the word, or `edgefm reset`",
    "disconnect": "edgefm closes the connection when a command ends; omit the word",
    "mount": _WHOLE, "umount": _WHOLE, "edit": _WHOLE, "touch": _WHOLE,
    "mkdir": _FLAT, "rmdir": _FLAT, "tree": "the store of a device has no folders; `edgefm ls`",
    "bootloader": "`edgefm flash BOARD` installs new firmware on a board",
    "romfs": "packages run in place in flash; `edgefm cp net.efm :` copies one there",
    "rtc": "a device with edgefm keeps no time of day", "sleep": "use the shell's `sleep`",
})


class Verb(Protocol):
    """The contents of a verb's module; its help ends with EXAMPLE, a line that works."""

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Do it. Raises EdgefmError."""


def load(name: str) -> Verb:
    """The module of a verb."""
    return cast(Verb, import_module(f"host_tools.cli.{name}"))


def find(words: Sequence[str]) -> tuple[str, list[str]]:
    """The verb at the beginning of the words, and the words after it. Raises BadInput."""
    first, *rest = words or ("",)
    if first == "fs":
        return _find_file_verb(rest)
    name = ALIASES.get(first, first)
    if name in VERBS:
        return name, rest
    if first in ELSEWHERE:
        raise BadInput(f"{first}: {ELSEWHERE[first]}")
    got = f"there is no verb {first}" if first else "expected a VERB, got nothing"
    raise BadInput(f"{got}{did_you_mean(first, [*VERBS, *ALIASES, 'fs'])} (see edgefm --help)")


def _find_file_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    first, *rest = words or ("",)
    if first in ("-h", "--help"):
        return "help", ["fs"]
    if first in ELSEWHERE:
        raise BadInput(f"fs {first}: {ELSEWHERE[first]}")
    if first not in FILE_VERBS:
        raise BadInput(f"fs: expected {', '.join(FILE_VERBS[:-1])} or {FILE_VERBS[-1]}, got "
                       f"{first or 'nothing'}{did_you_mean(first, FILE_VERBS)}")
    return ALIASES.get(first, first), rest


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean plan?` for a word that is close to a known one, else nothing."""
    like = get_close_matches(word, list(known), 1)
    return f"; did you mean {like[0]}?" if like else ""
