# SPDX-License-Identifier: Apache-2.0
"""Reference pages made from what they describe: parsers, docstrings, headers, records, boards."""

from __future__ import annotations

import argparse
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import edgefm
from edgefm.network.operators import OPERATORS
from host_tools.boards.build import recipe
from host_tools.boards.tree import boards
from host_tools.cli.parsing import verb_parser
from host_tools.cli.verbs import GROUPS

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ("edgefm.h", "edgefm_status.h")
WIDEST = 76  # columns of a line of code on a page
_QUOTED = re.compile(r"(?<=: |> )'([^']*)'")  # annotations of modules that postpone them
_COMMENT = re.compile(r"/\*((?:(?!\*/).)*)\*/\n", re.DOTALL)


def command_line() -> str:
    """Every verb: what it does, its usage, its arguments, an example."""
    parts = ["# Command line", "Every verb also takes `--help`. A `+` chains verbs."]
    for title, verbs in GROUPS.items():
        parts.append(f"## {title.capitalize()}")
        for name in verbs:
            parts += _verb(name)
    return "\n\n".join(parts) + "\n"


def _verb(name: str) -> Iterator[str]:
    parser = verb_parser(name)
    yield f"### edgefm {name}"
    yield str(parser.description)
    yield f"```sh\n{(parser.epilog or '').partition('example:')[2].strip()}\n```"
    rows = [f"| `{called}` | {_cell(text)} |" for called, text in _arguments(parser)]
    if rows:
        yield "\n".join(["| Argument | Meaning |", "|---|---|", *rows])


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Arguments and what they mean; those of a verb's actions after their names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                yield one.dest, one.help or ""
                inner = action.choices[one.dest]
                yield from ((f"{one.dest} {called}", text) for called, text in _arguments(inner))
        elif not isinstance(action, argparse._HelpAction):
            yield _called(action), action.help or ""


def _called(action: argparse.Action) -> str:
    words = ", ".join(action.option_strings)
    metavar = action.metavar if isinstance(action.metavar, str) else None
    value = metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest)
    value = "" if action.nargs == 0 else value
    return f"{words} {value}".strip().replace("|", "\\|")


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").split()).replace("|", "\\|")


def python() -> str:
    """Every name of `import edgefm`: its signature, its docstring, and those of its members."""
    parts = ["# Python", inspect.getdoc(edgefm) or ""]
    for name in edgefm.__all__:
        if not name.startswith("_"):
            parts += _described(name, getattr(edgefm, name), "##")
    return "\n\n".join(part for part in parts if part) + "\n"


def _described(name: str, found: object, level: str) -> Iterator[str]:
    yield f"{level} `{name}`"
    if signature := _signature(found):
        yield f"```python\n{_wrapped(name + signature)}\n```"
    yield inspect.getdoc(found) or ""
    for member in vars(found) if inspect.isclass(found) and level == "##" else ():
        inside = getattr(found, member)
        if not member.startswith("_") and inspect.getdoc(inside) and (
                callable(inside) or isinstance(inside, property)):
            words = textwrap.indent(inspect.getdoc(inside) or "", "    ").lstrip()
            yield f"* **`{member}{_signature(inside)}`** {words}"


def _signature(found: object) -> str:
    """Parameters and result, as they stand in the source; empty for what has none."""
    try:
        text = str(inspect.signature(found)) if callable(found) else ""
    except (TypeError, ValueError):
        return ""
    return _QUOTED.sub(r"\1", text).replace("(self, ", "(").replace("(self)", "()")


def _wrapped(signature: str) -> str:
    """A signature with a parameter per line where one line is too long."""
    if len(signature) <= WIDEST:
        return signature
    start, _, rest = signature.partition("(")
    inside, _, result = rest.rpartition(")")
    return f"{start}(\n" + "".join(f"    {one},\n" for one in _parameters(inside)) + f"){result}"


def _parameters(text: str) -> Iterator[str]:
    """Parts between the commas that no bracket holds."""
    deep = start = 0
    for at, letter in enumerate(text):
        deep += (letter in "([{") - (letter in ")]}")
        if letter == "," and not deep:
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()


def c() -> str:
    """Declarations of the public headers, each with the comment above it."""
    parts = ["# C", "The headers in `native/include` are the interface of the runtime."]
    for name in HEADERS:
        text = (ROOT / "native/include" / name).read_text(encoding="utf-8")
        parts.append(f"## {name}")
        for block in text.partition("#ifndef ")[2].split("\n\n"):
            parts += _declared("".join(line for line in block.splitlines(keepends=True)
                                       if not line.startswith(("#", 'extern "C"', "}\n"))))
    return "\n\n".join(parts) + "\n"


def _declared(block: str) -> Iterator[str]:
    """A block of a header: the words of the comment that it begins with, and its code."""
    found = _COMMENT.match(block + "\n")
    code = block[found.end():] if found else block
    if ";" in code:
        if found:
            yield " ".join(re.sub(r"^ \*", "", found[1], flags=re.MULTILINE).split())
        yield f"```c\n{code.strip()}\n```"


WIDE = ("---", "hide: [toc]", "---", "")  # a page of one table, which takes the whole width


def operators() -> str:
    """Every operator by its names in TFLite and ONNX, and what sort it is."""
    rows = [f"| `{one.name}` | {_names(one.tflite)} | {_names(one.onnx)} | {one.kind.value} |"
            for one in sorted(OPERATORS.values(), key=lambda one: one.name)]
    return "\n".join([*WIDE, "# Operators", "", f"edgefm imports these {len(rows)} operators. "
                      "`edgefm check MODEL` lists every layer of a model that cannot run, with the "
                      "reason.", "", "| Operator | TFLite | ONNX | What it is |",
                      "|---|---|---|---|", *rows]) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def board_list() -> str:
    """Every board of firmware/boards: what it is, and where its firmware was tried."""
    rows = [f"| `{name}` | {recipe(name).description} | {recipe(name).status} |"
            for name in boards()]
    return "\n".join([*WIDE, "# Boards", "", "`./inv boards` lists them with the tools that are "
                      "missing here. [Bringing edgefm to a board](PORTING.md) says how to add one.",
                      "", "| Board | What it is | Where it was tried |", "|---|---|---|",
                      *rows]) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": command_line, "reference/python.md": python, "reference/c.md": c,
    "operators.md": operators, "boards.md": board_list}
