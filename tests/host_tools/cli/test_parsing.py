# SPDX-License-Identifier: Apache-2.0
"""Help ends with a line that works, options that do not exist name one that does."""

import argparse
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host_tools.cli.line import _commands
from host_tools.cli.parsing import help_text, parse, verb_parser
from host_tools.cli.verbs import VERBS, load

Edgefm = Callable[..., Any]


@pytest.mark.parametrize("name", VERBS)
def test_help_ends_with_a_line_that_is_understood(name: str) -> None:
    text, example = verb_parser(name).format_help(), load(name).EXAMPLE
    assert text.endswith(f"example:\n  {example}\n")
    assert VERBS[name] in text
    program, *words = shlex.split(example.partition(" > ")[0])
    assert program == "edgefm"
    for command in _commands(words):
        parse(command)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    chosen = [action for group in parser._mutually_exclusive_groups if group.required
              for action in group._group_actions]
    for action in parser._actions:
        action.required = action.required or action in chosen
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
        elif not isinstance(action, argparse._HelpAction):
            yield action


@pytest.mark.parametrize("name", VERBS)
def test_every_argument_says_what_it_is_and_every_option_its_default(name: str) -> None:
    for action in _actions(verb_parser(name)):
        assert action.help, action
        if action.option_strings and not action.required:
            assert "default" in action.help, action.option_strings


def test_all_verbs_are_in_the_help_of_the_command(edgefm: Edgefm) -> None:
    shown = edgefm("--help")
    assert shown == edgefm("help") == edgefm("-h") == help_text() + "\n"
    assert all(f"  {name} " in shown and summary in shown for name, summary in VERBS.items())
    assert "EDGEFM_BOARD" in shown and max(map(len, shown.splitlines())) <= 96


@pytest.mark.parametrize("name", ["plan", "sha256sum", "zoo"])
def test_help_of_a_verb_is_the_verbs_help(name: str, edgefm: Edgefm) -> None:
    assert edgefm("help", name).startswith("usage: edgefm ")
    assert "example:" in edgefm("help", name)


def test_help_of_no_verb_is_one_line(edgefm: Edgefm, edgefm_error: Edgefm) -> None:
    assert "did you mean plan?" in edgefm_error("help", "plna")
    assert "sha256sum" in edgefm("help", "fs") == edgefm("fs", "--help")


@pytest.mark.parametrize(("words", "said"), [
    (["plan", "a.tflite", "--callib", "x"],
     "edgefm plan: unrecognized arguments: --callib x; did you mean --calib? (see edgefm plan"),
    (["plan", "a.tflite", "--fats=96K"], "did you mean --fast?"),
    (["compile", "--otput", "x"], "--output"), (["ls", "--jsno"], "--json"),
    (["zoo", "get", "x", "--jsn"], "--json"),
    (["plan", "a.tflite", "--wholly-other"], "unrecognized arguments: --wholly-other (see")])
def test_an_unknown_option_names_the_one_that_may_be_meant(words: list[str], said: str,
                                                           edgefm_error: Edgefm) -> None:
    assert said in edgefm_error(*words)


def test_pictures_to_calibrate_with_have_two_names() -> None:
    for command in (["compile", "a.onnx", "-o", "a.efm"], ["plan", "a.onnx"], ["deploy", "a.onnx"]):
        calib = parse([*command, "--calib", "d"])
        assert vars(calib) == vars(parse([*command, "--images", "d"]))
    both = parse(["codecs", "a.onnx", "--calib", "typical", "--images", "judged"])
    assert (str(both.calib), str(both.images)) == ("typical", "judged")
