# SPDX-License-Identifier: Apache-2.0
"""`edgefm validate` for each task, with views, and its mistakes as one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

from edgefm.exporters.tflite import export_tflite
from edgefm.images import answers
from edgefm.images.preprocess import Preprocess, load_image, placement_of
from edgefm.network.graph import Graph
from edgefm.rate_distortion.divergence import package_of
from edgefm.runtime import Runtime

Edgefm = Callable[..., Any]

COMMON = {"task", "n", "views", "kl", "kl_error", "bits_per_value", "external_read_bytes",
          "external_write_bytes", "capped_rows", "images_per_second", "maps", "difference",
          "difference_error", "changed", "model_sha256", "plan_sha256", "schema", "threads",
          "workers"}
FIELDS = {
    "classify": {"top1", "top1_error", "top5", "reference_top1", "reference_top5", "float_top1",
                 "top1_agreement"},
    "detect": {"map50", "map50_error", "reference_map50", "agreement", "classes", "boxes"},
    "segment": {"miou", "miou_error", "reference_miou", "agreement", "classes"}}


def detector() -> Graph:
    """16 x 12 color pixels to the best three of 48 anchors, two classes."""
    net = Network(8, "uint8", "detector")
    x = net.conv(net.input(1, 16, 12, 3), 8, stride=2, activation="relu6")
    return net.graph(*net.detect(x, 2))


def segmenter() -> Graph:
    """16 x 12 color pixels to one of three classes each."""
    net = Network(9, "uint8", "segmenter")
    x = net.conv(net.input(1, 16, 12, 3), 8, stride=2, activation="relu6")
    return net.graph(net.argmax(net.resize(net.conv(x, 3, kernel=1), 16, 12)))


def _found(path: Path) -> answers.Box:
    """The detector's best box in a picture."""
    with Runtime(package_of(detector())) as runtime:
        target = runtime.inputs[0]
        stretch = Preprocess(geometry="stretch")
        outputs = runtime.run([load_image(path, stretch, target)]).outputs
    return answers.boxes(outputs, placement_of((24, 32), stretch, target), (), 0.0)[0]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of 24 x 32 with boxes and masks, and two models beside them."""
    folder = tmp_path_factory.mktemp("scenes")
    random = np.random.default_rng(2)
    (folder / "labels").mkdir()
    for number in range(6):
        coarse = random.integers(0, 256, (4, 3, 3), np.uint8)
        pixels = coarse.repeat(8, axis=0).repeat(8, axis=1)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
        found = _found(folder / f"{number}.jpg")
        edges = f"{found.left} {found.top} {found.right} {found.bottom}"
        right = f"{found.index} {edges}\n" if number % 2 else ""
        (folder / "labels" / f"{number}.txt").write_text(f"{right}cat 0 0 9 9\nowl 3 3 9 9\n")
        mask = random.integers(0, 3, (32, 24)).astype(np.uint8)
        Image.fromarray(mask).save(folder / "labels" / f"{number}_mask.png")
    (folder / "names").write_text("cat\ndog\n")
    (folder / "detector.tflite").write_bytes(export_tflite(detector()))
    (folder / "segmenter.tflite").write_bytes(export_tflite(segmenter()))
    return folder


def test_validate_json_has_the_promised_fields(model: Path, photos: Path,
                                               need_module: Callable[[str], None],
                                               edgefm_json: Edgefm) -> None:
    need_module("ai_edge_litert")
    fields = edgefm_json("validate", model, "--images", photos, "--labels", photos / "labels.csv",
                         "--workers", "2")
    assert set(fields) == COMMON | FIELDS["classify"]
    assert (fields["n"], fields["top5"], fields["reference_top5"]) == (20, 100.0, 100.0)
    assert (fields["top1"], fields["top1_agreement"]) == (fields["reference_top1"], 100.0)
    assert fields["kl"] == pytest.approx(0, abs=1e-9)
    assert (fields["float_top1"], fields["bits_per_value"]) == (None, None)


def test_validate_of_a_package_has_no_judges(net: Path, photos: Path, edgefm: Edgefm,
                                             edgefm_json: Edgefm) -> None:
    arguments = ("validate", net, "--images", photos, "--labels", photos / "labels.csv",
                 "--limit", "5", "--workers", "1")
    fields = edgefm_json(*arguments)
    assert (fields["n"], fields["reference_top1"], fields["kl"]) == (5, None, None)
    assert "top-1 %" in edgefm(*arguments)


def test_processes_are_for_many_pictures_and_threads_for_few(
        net: Path, photos: Path, edgefm: Edgefm, edgefm_json: Edgefm,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgefm.evaluate.executors.cores", lambda: 4)
    arguments = ("validate", net, "--images", photos, "--labels", photos / "labels.csv", "--limit")
    few, told = edgefm_json(*arguments, "5"), edgefm_json(*arguments, "5", "--threads", "2")
    assert (few["workers"], few["threads"]) == (1, 4)
    assert (told["workers"], told["threads"]) == (1, 2)
    assert "2 processes, 2 threads each" in edgefm(*arguments, "20")
    timed = {"images_per_second", "threads"}
    assert {**few, **dict.fromkeys(timed)} == {**told, **dict.fromkeys(timed)}


def test_too_many_threads_are_one_line(net: Path, photos: Path, edgefm_error: Edgefm) -> None:
    assert edgefm_error("validate", net, "--images", photos, "--labels", photos / "labels.csv",
                        "--threads", "33").endswith(
                            "threads: got 33, expected a whole number 1..32\n")


def test_views_count_as_runs_and_not_as_pictures(model: Path, photos: Path,
                                                 edgefm_json: Edgefm, edgefm: Edgefm) -> None:
    arguments = ("validate", model, "--images", photos, "--labels", photos / "labels.csv",
                 "--workers", "1", "--views", "3", "--no-reference")
    fields = edgefm_json(*arguments)
    assert (fields["n"], fields["views"]) == (20, 3)
    assert "views of each" in edgefm(*arguments)


@pytest.mark.parametrize(("task", "name"), [("detect", "detector"), ("segment", "segmenter")])
def test_other_tasks_are_told_from_the_outputs(scenes: Path, task: str, name: str,
                                               need_module: Callable[[str], None],
                                               edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    need_module("ai_edge_litert")
    arguments = ("validate", scenes / f"{name}.tflite", "--images", scenes, "--labels",
                 scenes / "labels", "--names", scenes / "names", "--workers", "1", "--views", "2")
    fields = edgefm_json(*arguments)
    assert set(fields) == COMMON | FIELDS[task]
    assert (fields["task"], fields["n"], fields["views"]) == (task, 6, 2)
    assert (fields["difference"], fields["difference_error"], fields["kl"]) == (0, 0, None)
    assert fields["changed"] in (0, None)
    assert fields["map50" if task == "detect" else "miou"] > 0
    assert "standard error" in edgefm(*arguments)


@pytest.mark.parametrize(("task", "name"), [("detect", "detector"), ("segment", "segmenter")])
def test_coarser_maps_are_judged_by_the_network_without_them(scenes: Path, task: str, name: str,
                                                             edgefm_json: Edgefm) -> None:
    fields = edgefm_json(
        "validate", scenes / f"{name}.tflite", "--images", scenes, "--labels", scenes / "labels",
        "--names", scenes / "names", "--workers", "1", "--cut", "ops", "--fast", "16K", "--calib",
        scenes, "--kl-budget", "0.5")
    assert fields["kl"] > 0 and fields["bits_per_value"] < 8
    assert fields["changed"] is None or fields["changed"] >= 0


def test_boxes_of_unknown_classes_are_said(scenes: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from host_tools.cli import main
    assert main(["validate", str(scenes / "detector.tflite"), "--images", str(scenes), "--labels",
                 str(scenes / "labels"), "--names", str(scenes / "names"), "--workers", "1",
                 "--no-reference", "--json"]) == 0
    assert "6 boxes left out, of classes that the network does not know: owl" in capfd.readouterr(
        ).err


@pytest.mark.parametrize(("arguments", "message"), [
    (["MODEL", "--labels", "PHOTOS"], "expected a CSV file"),
    (["MODEL", "--labels", "PHOTOS/labels.csv", "--task", "fly"], "invalid choice"),
    (["MODEL", "--labels", "PHOTOS/labels.csv", "--views", "40"], "40 views; expected 1 to 16"),
    (["MODEL", "--labels", "PHOTOS/labels.csv", "--task", "segment"], "expected the header file,"),
    (["MODEL", "--labels", "PHOTOS/labels.csv", "--task", "detect"], "expected the header file,"),
    (["DETECTOR", "--labels", "PHOTOS"], "0.txt: no such file; expected the boxes of 0.png"),
])
def test_mistakes_are_one_line(model: Path, photos: Path, scenes: Path, edgefm_error: Edgefm,
                               arguments: list[str], message: str) -> None:
    told = [part.replace("MODEL", str(model)).replace("PHOTOS", str(photos)).replace(
        "DETECTOR", str(scenes / "detector.tflite")) for part in arguments]
    assert message in edgefm_error("validate", *told, "--images", photos, "--workers", "1")


def test_compile_checks_its_budget_on_labeled_files(model: Path, photos: Path, tmp_path: Path,
                                                     edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    net = tmp_path / "net.efm"
    arguments = ("compile", model, "-o", net, "--cut", "ops", "--fast", "4K", "--calib", photos,
                 "--accuracy-budget", "90", "--check", photos, "--labels", photos / "labels.csv",
                 "--workers", "1")
    fields = edgefm_json(*arguments)
    (only,) = fields["check"]["rounds"]
    assert only["met"] and fields["rate"]["check"]["points"] == only["points"]
    assert "Checked on 20 labeled files" in edgefm(*arguments)
    assert "checked on 20 labeled files" in edgefm("inspect", net)


def test_a_check_without_labels_is_refused(model: Path, photos: Path, edgefm_error: Edgefm) -> None:
    assert "--check and --labels belong together" in edgefm_error(
        "compile", model, "-o", "net.efm", "--kl-budget", "1", "--check", photos)


def test_sweep_writes_table_json_and_picture(model: Path, photos: Path, tmp_path: Path,
                                             edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    arguments = ("sweep", model, "--calib", photos, "--images", photos, "--labels",
                 photos / "labels.csv", "-o", tmp_path, "--cut", "ops", "--fast", "4K",
                 "--budgets", "0.02,0.2", "--workers", "1")
    fields = edgefm_json(*arguments)
    assert [point["name"] for point in fields["points"]] == ["raw", "lossless", "0.02 nats",
                                                              "0.2 nats"]
    assert not {"images_per_second", "maps"} & set(fields["points"][0])
    assert fields["figure"] == "top1"
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json", "table.md", "curve.svg",
                                                          "index.html", "units"}
    assert "0.02 nats" in edgefm(*arguments)
