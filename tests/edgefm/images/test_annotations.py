# SPDX-License-Identifier: Apache-2.0
"""Boxes and masks: both forms of each, and every mistake as one line that says where."""

from pathlib import Path

import numpy as np
import pytest
from limits import Limited
from PIL import Image

from edgefm.errors import BadInput
from edgefm.images.annotations import TrueBox, read_boxes, read_mask, read_masks

NAMES = ("person", "dining table", "tv", "couch")
HEADER = "file,class,left,top,right,bottom\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.jpg")
    return tmp_path


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_a_table_of_boxes(folder: Path) -> None:
    labels = table(folder, HEADER + "a.jpg,person,1,2,3.5,4\nb.jpg,,,,,\na.jpg,2,0,0,9,9\n")
    boxes = read_boxes(labels, folder, NAMES)
    assert [file.path.name for file in boxes.files] == ["a.jpg", "b.jpg"]
    assert boxes.files[0].boxes == (TrueBox(0, 1, 2, 3.5, 4), TrueBox(2, 0, 0, 9, 9))
    assert boxes.files[1].boxes == () and boxes.unknown == {}


def test_a_folder_of_boxes(folder: Path) -> None:
    (folder / "a.txt").write_text("diningtable 1 2 3 4\n\ndoor 0 0 1 1\ndoor 1 1 2 2\n")
    (folder / "b.txt").write_text("")
    boxes = read_boxes(folder, folder, NAMES)
    assert boxes.files[0].boxes == (TrueBox(1, 1, 2, 3, 4),)
    assert boxes.files[1].boxes == () and boxes.unknown == {"door": 2}


@pytest.mark.parametrize(("name", "index"), [
    ("Dining_Table", 1), ("dining-table", 1), ("tvmonitor", 2), ("sofa", 3), ("3", 3)])
def test_spellings_of_a_class(folder: Path, name: str, index: int) -> None:
    boxes = read_boxes(table(folder, f"{HEADER}a.jpg,{name},1,2,3,4\n"), folder, NAMES)
    assert boxes.files[0].boxes[0].index == index


@pytest.mark.parametrize(("text", "message"), [
    ("", "line 1: expected the header file,class,left,top,right,bottom, got ''"),
    ("file,label\n", "line 1: expected the header"),
    (HEADER + "a.jpg,person,1,2,3\n", "line 2: expected 6 fields, got 5"),
    (HEADER + "c.jpg,person,1,2,3,4\n", "line 2: no file 'c.jpg'"),
    (HEADER + "a.jpg,person,1,2,1,4\n", "line 2: expected left < right"),
    (HEADER + "a.jpg,person,1,2,x,4\n", "line 2: expected left < right"),
    (HEADER + "a.jpg,person,1,2,nan,4\n", "line 2: expected left < right"),
    (HEADER + "a.jpg,person,-1,2,3,4\n", "line 2: expected left < right"),
    (HEADER + "a.jpg,door,1,2,3,4\n", r"no box of a class that the network knows \(got door\)"),
    (HEADER, r"no box of a class that the network knows \(got no boxes\)")])
def test_a_broken_table_is_one_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as error:
        read_boxes(table(folder, text), folder, NAMES)
    assert str(error.value).startswith(str(folder / "labels.csv")) and "\n" not in str(error.value)


def test_a_missing_table_is_named(folder: Path) -> None:
    with pytest.raises(BadInput, match="none.csv: no such file"):
        read_boxes(folder / "none.csv", folder, NAMES)


def test_broken_text_files_are_named(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.txt: no such file; expected the boxes of a\.jpg"):
        read_boxes(folder, folder, NAMES)
    (folder / "a.txt").write_text("person 1 2 3\n")
    with pytest.raises(BadInput, match=r"a\.txt: line 1: expected class left top right bottom"):
        read_boxes(folder, folder, NAMES)
    with pytest.raises(BadInput, match="no pictures in it"):
        read_boxes(folder, _empty(folder), NAMES)


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir(exist_ok=True)
    return folder / "empty"


def test_masks_in_a_table_and_in_a_folder(folder: Path) -> None:
    Image.new("P", (40, 30)).save(folder / "a_mask.png")
    Image.new("L", (40, 30)).save(folder / "b.png")
    labels = table(folder, "file,mask\nb.jpg,b.png\n")
    assert [(f.path.name, f.mask.name) for f in read_masks(labels, folder)] == [("b.jpg", "b.png")]
    assert [(f.path.name, f.mask.name) for f in read_masks(folder, folder)] == [
        ("a.jpg", "a_mask.png"), ("b.jpg", "b.png")]


def test_missing_and_doubled_masks_are_named(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"0 masks for a\.jpg; expected one, a\.png or a_"):
        read_masks(folder, folder)
    with pytest.raises(BadInput, match="line 2: no file 'b.png'"):
        read_masks(table(folder, "file,mask\nb.jpg,b.png\n"), folder)
    with pytest.raises(BadInput, match="no pictures; expected .jpg"):
        read_masks(folder, _empty(folder))
    with pytest.raises(BadInput, match="not a folder"):
        read_masks(folder, folder / "none")


def test_a_palettes_indices_are_the_classes(folder: Path) -> None:
    image = Image.fromarray(np.array([[0, 15], [255, 3]], np.uint8), "P")
    image.putpalette(list(range(256)) * 3)
    image.save(folder / "a.png")
    np.testing.assert_array_equal(read_mask(folder / "a.png"), [[0, 15], [255, 3]])


def test_a_mask_in_colors_or_broken_is_refused(folder: Path) -> None:
    Image.new("RGB", (4, 3)).save(folder / "a.png")
    with pytest.raises(BadInput, match="mode RGB; expected class numbers"):
        read_mask(folder / "a.png")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(BadInput, match="not a readable mask"):
        read_mask(folder / "a.png")


def test_many_masks_are_found_in_a_time_that_grows_with_their_number(tmp_path: Path) -> None:
    for i in range(3000):
        (tmp_path / f"{i:05}.jpg").touch()
        (tmp_path / f"{i:05}_mask_1.png").touch()
    with Limited(64 << 20, seconds=2):
        found = read_masks(tmp_path, tmp_path)
    assert [(f.path.name, f.mask.name) for f in found[-1:]] == [("02999.jpg", "02999_mask_1.png")]


def test_rows_beyond_all_measure_are_one_short_line(folder: Path) -> None:
    for row in ("a.jpg," + "9" * 5000 + ",1,2,3,4", "b" * 300 + ".jpg,1,1,2,3,4",
                "a.jpg,1," + "9" * 5000 + ",2,3,4"):
        (folder / "boxes.csv").write_text(f"file,class,left,top,right,bottom\n{row}\n")
        with pytest.raises(BadInput, match=r"boxes\.csv: ") as refused:
            read_boxes(folder / "boxes.csv", folder, NAMES)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 600
