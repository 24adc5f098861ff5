# SPDX-License-Identifier: Apache-2.0
"""Every verb has its line in the table; a word that is not a verb is answered with what is."""

import ast
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from host_tools.cli.verbs import ALIASES, ELSEWHERE, FILE_VERBS, VERBS, find, load


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_what_the_module_says(name: str) -> None:
    assert str(load(name).__doc__).splitlines()[0] == VERBS[name]


def test_every_module_that_is_a_verb_is_in_the_table(root: Path) -> None:
    verbs = {path.stem for path in (root / "host_tools/cli").glob("*.py")
             if any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLE"
                    for node in ast.parse(path.read_text("utf-8")).body)}
    assert verbs == set(VERBS)


@pytest.mark.parametrize(("words", "verb"), [
    ("sha256sum :a", "sha256"), ("soft-reset", "reset"), ("--version", "version"), ("-h", "help"),
    ("fs ls", "ls"), ("fs cp a :", "cp"), ("fs rm :a", "rm"), ("fs cat :a", "cat"),
    ("fs sha256sum :a", "sha256"), ("fs df", "df"), ("ls :a", "ls")])
def test_words_of_mpremote_find_their_verb(words: str, verb: str) -> None:
    split = words.split()
    assert find(split) == (verb, split[2 if split[0] == "fs" else 1:])


@pytest.mark.parametrize("word", ELSEWHERE)
def test_what_edgefm_does_otherwise_is_said_in_one_line(word: str) -> None:
    with pytest.raises(BadInput, match=f"^{word}: .+") as error:
        find([word])
    assert "\n" not in str(error.value)
    assert word not in VERBS and word not in ALIASES and word not in FILE_VERBS


@pytest.mark.parametrize(("words", "said"), [
    ([], "expected a VERB, got nothing"), (["plam"], "no verb plam; did you mean plan?"),
    (["complie"], "did you mean compile?"), (["sha265sum"], "did you mean sha256sum?"),
    (["zzzz"], "there is no verb zzzz (see edgefm --help)"),
    (["fs"], "expected ls, cp, rm, cat, sha256sum, sha256 or df, got nothing"),
    (["fs", "cta"], "got cta; did you mean cat?"), (["fs", "mkdir"], "has no folders")])
def test_a_word_that_is_not_a_verb_is_answered_with_one_that_is(words: list[str], said: str
                                                                ) -> None:
    with pytest.raises(BadInput) as error:
        find(words)
    assert said in str(error.value)
