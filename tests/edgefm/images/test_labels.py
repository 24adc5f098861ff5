# SPDX-License-Identifier: Apache-2.0
"""Label files: what is read, and that every mistake is named with its line."""

from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.images.labels import LabeledFile, names_for, read_labels, read_names, spread


def _write(folder: Path, text: str | bytes) -> Path:
    (folder / "a.jpg").touch()
    path = folder / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("text", ["file,label\na.jpg,7\n", "\ufefffile,label\r\na.jpg,7\r\n\r\n",
                                  'file, label\n"a.jpg", 7'])
def test_labels_are_read(tmp_path: Path, text: str) -> None:
    assert read_labels(_write(tmp_path, text), tmp_path) == (LabeledFile(tmp_path / "a.jpg", 7),)


@pytest.mark.parametrize(("text", "message"), [
    ("", "line 1: expected the header"),
    ("name,class\na.jpg,1\n", "line 1: expected the header"),
    ("file,label\na.jpg,1\na.jpg\n", "line 3: expected a file and a class number"),
    ("file,label\na.jpg,-1\n", "line 2: expected a file and a class number"),
    ("file,label\na.jpg,tench\n", "line 2: expected a file and a class number"),
    ("file,label\nb.jpg,1\n", "line 2: no file 'b.jpg'"),
    (b"file,label\n\xff\xfe,1\n", "not a text file"),
])
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_labels(_write(tmp_path, text), tmp_path)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.csv: no such file"):
        read_labels(tmp_path / "none.csv", tmp_path)


def test_names_lose_their_wordnet_ids_and_end_at_an_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("n01440764 tench, Tinca tinca\n  goldfish \n\na comment\n")
    assert read_names(path) == ("tench, Tinca tinca", "goldfish")


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n \r\n\r\n", "\n\t\n\f\n"])
def test_empty_lines_may_end_a_name_file(tmp_path: Path, end: str) -> None:
    (tmp_path / "names.txt").write_text(f"cat\ndog{end}", newline="")
    assert read_names(tmp_path / "names.txt") == ("cat", "dog")


@pytest.mark.parametrize("text", ["", "\n", "\ncat\n"])
def test_a_name_file_whose_first_line_is_empty_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(BadInput, match="no name in line 1, expected one class name per line"):
        read_names(tmp_path / "names.txt")


def test_names_fit_a_network_with_or_without_background() -> None:
    assert names_for(("background", "cat"), 1) == ("cat",)
    assert names_for(("cat",), 2) == ("background", "cat")
    assert names_for(("background", "cat"), 2) == ("background", "cat")
    with pytest.raises(BadInput, match="2 names for 5 classes; expected one per line"):
        names_for(("cat", "dog"), 5)


def test_spread_takes_evenly() -> None:
    assert spread(tuple(range(10)), 4) == (0, 2, 5, 7)
    assert spread((1, 2), 5) == (1, 2) == spread((1, 2), None)


@pytest.mark.parametrize("row", ["a.jpg," + "9" * 5000, "a.jpg,1000000000", "b" * 300 + ".jpg,1",
                                 "a\0b.jpg,1", '"' + "a" * 200_000 + '",1'])
def test_rows_beyond_all_measure_are_one_short_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "labels.csv").write_text(f"file,label\n{row}\n")
    with pytest.raises(BadInput, match=r"labels\.csv: ") as refused:
        read_labels(tmp_path / "labels.csv", tmp_path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600
