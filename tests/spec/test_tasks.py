# SPDX-License-Identifier: Apache-2.0
"""./inv: every task tells its options, and what it needs before it does anything."""

import importlib.util
import inspect
import os
import shutil
import subprocess
import sys

import pytest
from invoke import Collection, Context, Exit, Program, Task

from host_tools.boards import tree

REQUIRED = {"flash": "board", "deploy": "model", "profile": "model"}


@pytest.fixture(scope="module")
def tasks(root):
    spec = importlib.util.spec_from_file_location("inv_tasks", root / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def helps(tasks):
    """Texts of every task's options; invoke takes them out of its tasks as it uses them."""
    found = {name: task for name, task in vars(tasks).items() if isinstance(task, Task)}
    assert sorted(found) == sorted(Collection.from_module(tasks).task_names)
    return {name: dict(task.help) for name, task in found.items()}


@pytest.fixture
def inv(tasks, helps, capsys):
    """Run ./inv with these words; status, what it printed, what it complained of."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            Program(namespace=Collection.from_module(tasks)).run(["inv", *words])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


def parameters(task):
    return list(inspect.signature(task.body).parameters)[1:]


def test_help_tells_every_option_of_every_task(tasks, helps, inv, monkeypatch):
    monkeypatch.setattr(tasks, "_run", lambda *_: pytest.fail("help ran something"))
    for name, texts in helps.items():
        task = getattr(tasks, name)
        for words in ((name, "--help"), (name, "-h"), ("--help", name)):
            status, printed, _ = inv(*words)
            assert status == 0 and f"] {name} [" in printed and task.__doc__[:20] in printed
            for option in parameters(task):
                assert f"--{option}" in printed and len(texts[option]) > 10, (name, option)


def test_what_is_required_is_marked_and_missed(tasks, helps, inv):
    for name, texts in helps.items():
        marked = [option for option, text in texts.items() if text.startswith("required: ")]
        assert marked == ([REQUIRED[name]] if name in REQUIRED else [])
    for name, option in REQUIRED.items():
        with pytest.raises(Exit, match=f"^{name}: --{option} is missing; expected ") as missed:
            getattr(tasks, name).body(Context())
        assert missed.value.code == 2
    status, printed, said = inv("flash")
    assert status == 2 and printed == "" and len(said.splitlines()) == 1


@pytest.mark.parametrize(("words", "ends"), [
    ((), "-n auto --dist loadfile "),
    (("--all",), "-n auto --dist loadfile --all "),
    (("--all", "--args", "-x"), "-n auto --dist loadfile --all -x"),
])
def test_long_tests_run_where_they_are_asked_for(tasks, inv, monkeypatch, words, ends):
    commands = []
    monkeypatch.setattr(tasks, "_run", lambda _, command: commands.append(command))
    Program(namespace=Collection.from_module(tasks)).run(["inv", "test", *words], exit=False)
    assert commands[-1].endswith(ends)


def test_ci_runs_the_long_tests(root):
    assert "exec ./inv test --all " in (root / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize(("options", "outcome"), [((), "2 skipped"), (("--all",), "2 passed")])
def test_a_long_test_is_skipped_with_the_way_to_run_it(root, tmp_path, options, outcome):
    shutil.copy(root / "tests/conftest.py", tmp_path)
    (tmp_path / "test_slow.py").write_text("""
import pytest
pytestmark = pytest.mark.long
def test_one(): pass
def test_two(): pass
""")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "--strict-markers",
                           f"--rootdir={tmp_path}", "-c", os.devnull, *options, tmp_path],
                          env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests/support'}"},
                          cwd=tmp_path, text=True, capture_output=True, check=False)
    assert outcome in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert ("./inv test --all" in done.stdout) == (not options)


def test_boards_and_benchmarks_are_named(tasks, helps, root, inv):
    assert tree.boards() == tasks.BOARDS
    assert all(board in helps["flash"]["board"] for board in tree.boards())
    assert all((root / f"benchmarks/{name}.py").is_file() for name in tasks.BENCHMARKS)
    status, _, said = inv("bench", "--name", "no-such")
    assert status == 2 and all(name in said for name in tasks.BENCHMARKS)


@pytest.mark.parametrize("words", [("flash", "--bord", "sim"), ("flash", "--board"), ("no-such",)])
def test_a_word_that_is_not_known_runs_nothing(tasks, inv, monkeypatch, words):
    monkeypatch.setattr(tasks, "_run", lambda *_: pytest.fail("something was run"))
    status, _, said = inv(*words)
    assert status != 0 and len(said.splitlines()) == 1
