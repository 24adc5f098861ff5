# SPDX-License-Identifier: Apache-2.0
"""What verbs write is checked before they begin, and their inputs survive."""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.cli import main
from host_tools.cli.arguments import check_outputs
from host_tools.cli.parsing import parse, verb_parser
from host_tools.cli.verbs import VERBS

OUTPUTS = {"-o", "--output", "--out", "--draw"}


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work fails the test: what is wrong has to be seen before it."""
    def work(*arguments: object, **options: object) -> None:
        raise AssertionError("the work began")

    for name in ("compilation.compile_model", "compile.load_model", "sweep.sweep", "run.read_info"):
        monkeypatch.setattr(f"host_tools.cli.{name}", work)


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]):
    """`fails("compile", …)` gives the one line of complaint."""
    def call(*arguments: object) -> str:
        assert main([str(one) for one in arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1
        return printed.err.removeprefix("edgefm: ")

    return call


def _verbs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for name in VERBS:
        yield name, verb_parser(name)


def test_every_argument_that_names_an_output_is_checked() -> None:
    found = {(verb, action.dest) for verb, one in _verbs() for action in one._actions
             if OUTPUTS & set(action.option_strings)}
    checked = {(verb, name) for verb, one in _verbs()
               for name in one.get_default("outputs") or ()}
    assert found - checked == {("export", "output")}  # has a default name, and is checked with it
    assert len(checked) >= 7


@pytest.mark.usefixtures("idle")
def test_the_model_is_not_replaced_by_its_package(model: Path, tmp_path: Path, fails) -> None:
    own, link = tmp_path / "own.tflite", tmp_path / "link.efm"
    shutil.copy(model, own)
    link.symlink_to(own)
    for target in (own, tmp_path / "." / "own.tflite", link):
        assert fails("compile", own, "-o", target).startswith(f"{target}: this command reads it")
    assert own.read_bytes() == model.read_bytes()


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("option", ["--names", "--tables", "--points", "--target"])
def test_no_other_input_is_replaced_either(model: Path, tmp_path: Path, fails, option) -> None:
    other = tmp_path / "input"
    other.write_bytes(b"x")
    assert "this command reads it" in fails("compile", model, option, other, "-o", other)
    assert other.read_bytes() == b"x"


@pytest.mark.usefixtures("idle")
def test_a_place_that_cannot_be_is_told_before_the_work(model: Path, tmp_path: Path, fails
                                                        ) -> None:
    away, net = tmp_path / "no" / "file.png", _file(tmp_path / "net.efm")
    picture = _file(tmp_path / "cat.png")
    os.mkfifo(tmp_path / "pipe")
    assert "no folder" in fails("compile", model, "-o", away)
    assert "a pipe" in fails("compile", model, "-o", tmp_path / "pipe")
    assert "a device" in fails("compile", model, "-o", "/dev/null")
    assert "a folder" in fails("compile", model, "-o", tmp_path)
    assert "no folder" in fails("run", net, picture, "--draw", away)
    assert "no folder" in fails("run", net, picture, "--out", away)
    assert "this command reads it" in fails("run", net, picture, "--draw", picture)
    assert "not a name for a picture" in fails("run", net, picture, "--draw", tmp_path / "a.txt")
    assert "a file is there" in fails("sweep", model, "--images", tmp_path, "--labels", net,
                                      "-o", net)
    assert "a file is there" in fails("record", "-o", net, "--", "run", ":net.efm")
    assert "exists already" in fails("record", "-o", _file(tmp_path / "run.zip"), "--", "run", ":n")


def _file(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def test_words_that_are_no_files_are_no_inputs(model: Path, tmp_path: Path) -> None:
    arguments = parse(["compile", str(model), "-o", str(tmp_path / "net.efm"),
                                     "--codec", "lossless"])
    check_outputs(arguments)
