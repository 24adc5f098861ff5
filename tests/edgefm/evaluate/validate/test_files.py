# SPDX-License-Identifier: Apache-2.0
"""Files with their labels, for every task."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.evaluate.validate.files import labeled_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(4):
        Image.fromarray(np.full((8, 8), k, np.uint8)).save(tmp_path / f"{k}.png")
    return tmp_path


def test_classes_come_from_a_table_evenly_spread(folder: Path) -> None:
    labels = folder / "labels.csv"
    labels.write_text("file,label\n0.png,0\n1.png,1\n2.png,2\n3.png,3\n")
    found = labeled_files(labels, folder, "classify", ())
    assert [one.path.name for one in found] == ["0.png", "1.png", "2.png", "3.png"]
    assert len(labeled_files(labels, folder, "classify", (), 2)) == 2
    with pytest.raises(BadInput, match="a folder; expected a CSV file"):
        labeled_files(folder, folder, "classify", ())


def test_boxes_of_unknown_classes_are_left_out_and_said(folder: Path,
                                                        capsys: pytest.CaptureFixture[str]
                                                        ) -> None:
    labels = folder / "boxes.csv"
    labels.write_text("file,class,left,top,right,bottom\n0.png,cat,0,0,4,4\n0.png,owl,1,1,4,4\n")
    found = labeled_files(labels, folder, "detect", ("cat",))
    assert [one.path.name for one in found] == ["0.png"]
    assert "1 boxes left out, of classes that the network does not know: owl" in (
        capsys.readouterr().err)


def test_masks_are_read(folder: Path) -> None:
    labels = folder / "masks.csv"
    labels.write_text("file,mask\n0.png,1.png\n")
    found = labeled_files(labels, folder, "segment", ())
    assert [one.path.name for one in found] == ["0.png"]
