# SPDX-License-Identifier: Apache-2.0
"""The English is plain: no phrase that tools/words.py refuses, and it refuses those it should."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.words import refused

WRONG = {
    "a file that is no picture": "is no picture",
    "A file\n# that is\n# no picture": "is no picture",
    "expected 3, met 4": ", met",
    "begins anew": "anew",
    "Whoever reads it": "whoever",
    "a map that nobody reads": "nobody",
    "the one who reads the map": "who reads",
    "a list of so many bytes": "so many",
    "codes what is left": "what is left",
    "a head, then come the rows": "then come",
    "rows lie one behind the other": "one behind the other",
    "for want of memory": "for want of",
    "a line through nought": "nought",
    "the neighbouring rows": "neighbouring",
    "quantised weights": "quantised",
}
RIGHT = (
    "there is no picture", "there must be no picture", "it is no longer open",
    "it is no larger than that", "the budget is met", "the device met the goal",
    "somebody else's recording", "so many that they do not fit", "says what is left out",
    "an otherwise precise promise", "a row follows", "a depthwise exercise",
)


@pytest.mark.parametrize(("text", "phrase"), WRONG.items())
def test_a_wrong_phrase_is_found_in_every_kind_of_file(text: str, phrase: str) -> None:
    comment = "\n".join(f" * {line.lstrip('# ')}" for line in text.splitlines())
    code = "\n".join(f"# {line.lstrip('# ')}" for line in text.splitlines())
    for name, content in (("a.md", f"One.\n{text}\n"), ("a.c", f"int x;\n/*\n{comment} */\n"),
                          ("a.py", f"x = 1\n{code}\n")):
        [found] = refused(name, content)
        assert (found.phrase, found.where) == (phrase, name) and found.line > 1


def test_a_message_in_two_strings_is_one_phrase() -> None:
    [found] = refused("a.py", 'raise ValueError(f"{a} is "\n                 f"no picture")\n')
    assert (found.phrase, found.line) == ("is no picture", 1)


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_phrase_passes(text: str) -> None:
    assert refused("a.md", text) == []


def test_names_and_blocks_of_code_are_not_prose() -> None:
    assert refused("a.py", "nobody = met, anew = 1\n") == []
    assert refused("a.c", "int nobody, nought;\n") == []
    assert refused("a.md", "Type this:\n\n```\ngrep nobody\n```\n\nIt works.\n") == []


def test_the_files_say_nothing_that_is_refused(root: Path) -> None:
    result = subprocess.run([sys.executable, "tools/words.py"], cwd=root, text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
