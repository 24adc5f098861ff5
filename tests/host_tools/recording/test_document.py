# SPDX-License-Identifier: Apache-2.0
"""docs/RECORDING.md says what the code does."""

import re
import struct

import pytest

from host_tools.recording import chunks

FORMATS = {"bytes": "4s", "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q"}


@pytest.fixture(scope="module")
def text(root):
    return (root / "docs/RECORDING.md").read_text(encoding="utf-8")


def test_the_head_is_the_documents_table(text):
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \| (\w+) \|", text, re.MULTILINE)
    at = 0
    for offset, size, kind, _ in rows:
        assert int(offset) == at and struct.calcsize("<" + FORMATS[kind]) == int(size)
        at += int(size)
    assert "<" + "".join(FORMATS[kind] for _, _, kind, _ in rows) == chunks.HEAD.format
    fields = [name for *_, name in rows][1:-1]
    assert fields == list(chunks.Head.__dataclass_fields__)


def test_kinds_and_limits_are_the_documents(text):
    kinds = re.findall(r"^\| (\d) \| ([a-z ]+) \|", text, re.MULTILINE)
    assert [(int(n), name) for n, name in kinds] == [
        (chunks.DESCRIPTION, "description"), (chunks.UNIFORM, "uniform samples"),
        (chunks.TIMED, "timed samples"), (chunks.EVENTS, "events")]
    assert f"| `{chunks.MAGIC.decode()}` |" in text
    assert (chunks.MOST_COUNT, chunks.MOST_PLAIN, chunks.MOST_INDEX, chunks.MOST_TIME) == (
        1 << 17, 1 << 26, 1 << 62, 1 << 61)
    for limit in ("at most 2^17", "at most 2^26", "at most 2^62", "within ±2^61",
                  f"at most {chunks.MOST_COLUMNS}", f"entry of the summary, {chunks.BLOCK};"):
        assert limit in text


@pytest.mark.parametrize("name", chunks.QUANTITIES)
def test_quantities_are_in_the_document(text, name):
    assert f"`{name}`" in text


def test_the_documents_program_compiles(text):
    program, = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    compile(program.replace("…", "..."), "RECORDING.md", "exec")
