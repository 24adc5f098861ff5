# SPDX-License-Identifier: Apache-2.0
"""The command line on a small real network: every verb, its JSON, and every mistake as one line."""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

from edgefm.codecs import CODECS
from edgefm.exporters.tflite import export_tflite
from host_tools.cli import main
from host_tools.cli.arguments import size

Edgefm = Callable[..., Any]

PLAN_FIELDS = {"fast_bytes", "io_bytes", "external_bytes", "external_read_bytes",
               "external_write_bytes", "input_read_bytes", "output_write_bytes",
               "weight_read_bytes", "macs", "objective", "stages", "model_sha256", "plan_sha256"}
DIFF_FIELDS = {"tensors", "folded", "max_abs_diff", "first_difference", "model_sha256",
               "plan_sha256"}


@pytest.mark.parametrize(("text", "expected"), [
    ("65536", 65536), ("64K", 65536), ("64k", 65536), ("64KiB", 65536), ("1.5M", 1572864),
    ("0", 0), ("1G", 1 << 30)])
def test_sizes_are_read(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "K", "64Q", "-1", "1e3", "0.3", "9999999G", "1.0001K"])
def test_nonsense_sizes_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        size(text)


def test_plan_json_has_the_promised_fields(model: Path, edgefm_json: Edgefm) -> None:
    fields = edgefm_json("plan", model, "--fast", "4K")
    assert set(fields) >= PLAN_FIELDS
    assert fields["fast_bytes"] <= 4096
    assert fields["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()


def test_plan_of_a_package_is_the_plan_it_was_compiled_with(model: Path, net: Path,
                                                            edgefm_json: Edgefm) -> None:
    assert edgefm_json("plan", net) == edgefm_json("plan", model)


def test_a_frontier_is_a_table_json_and_a_picture(model: Path, tmp_path: Path, edgefm: Edgefm,
                                                  edgefm_json: Edgefm) -> None:
    picture = tmp_path / "frontier.svg"
    points = edgefm_json("plan", model, "--frontier", "-o", picture)["points"]
    assert [p["moved_bytes"] for p in points] == sorted((p["moved_bytes"] for p in points),
                                                        reverse=True)
    assert picture.read_text(encoding="utf-8").count('class="weights"') >= len(points)
    printed = edgefm("plan", model, "--frontier").splitlines()
    assert len(printed) == 2 + len(points) + 2  # heads, a line per point, and what they are


def test_a_package_is_exported_as_c(net: Path, tmp_path: Path, edgefm: Edgefm) -> None:
    assert "cc -std=c11" in edgefm("export", net, "--c", tmp_path / "c")
    assert (tmp_path / "c" / f"{net.stem}.efm").read_bytes() == net.read_bytes()
    assert (tmp_path / "c" / "edgefm" / "include" / "edgefm.h").is_file()


def test_a_plan_becomes_a_page_with_the_frontier_and_another_plan(
        model: Path, net: Path, tmp_path: Path, edgefm: Edgefm) -> None:
    page = tmp_path / "plan.html"
    printed = edgefm("plan", model, "--fast", "4K", "--html", page, "--frontier", "--against", net)
    text = page.read_text(encoding="utf-8")
    assert printed.splitlines()[-1] == f"pictures: {page}"
    assert "you are here" in text and "Against the other plan" in text
    edgefm("plan", net, "--html", page)
    assert "Memory against bytes" not in page.read_text(encoding="utf-8")


def test_a_compilation_reports_its_plan(model: Path, tmp_path: Path, edgefm: Edgefm) -> None:
    page = tmp_path / "plan.html"
    edgefm("compile", model, "-o", tmp_path / "net.efm", "--fast", "4K", "--report", page)
    assert "Where maps live, and why" in page.read_text(encoding="utf-8")


def test_packages_are_exported_with_one_runtime_in_one_file(net: Path, tmp_path: Path,
                                                           edgefm: Edgefm) -> None:
    other = tmp_path / "other.efm"
    other.write_bytes(net.read_bytes())
    said = edgefm("export", net, other, "--c", tmp_path / "c", "--amalgamated")
    assert "cc -std=c11" in said and "find" not in said
    assert {"edgefm.c", "edgefm.h", "main.c", "other.h", f"{net.stem}.h"} <= {
        path.name for path in (tmp_path / "c").iterdir()}


def test_plan_says_that_rows_of_the_input_are_asked_for_again(root: Path, net: Path,
                                                              edgefm: Edgefm) -> None:
    told = edgefm("plan", root / "tests/golden/good/columns.efm")
    assert "rows of the input are asked for 2 times" in told
    assert "asked for" not in edgefm("plan", net)


def test_plan_prints_aligned_tables(model: Path, edgefm: Edgefm) -> None:
    lines = edgefm("plan", model, "--cut", "ops").splitlines()
    assert any(line.startswith("fast memory") for line in lines)
    start = lines.index("Stages (bytes)") + 1
    table = lines[start:lines.index("", start)]
    assert len({line.rindex(" ") > 0 and len(line) for line in table}) == 1


def test_inspect_shows_what_was_stored(net: Path, edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    fields = edgefm_json("inspect", net)
    assert fields["labels"] == ["ant", "bee", "cat", "dog"]
    assert fields["preprocess"] == {"raw": True, "mean": [0.0], "std": [1.0], "order": "rgb",
                                    "geometry": "crop"}
    assert fields["inputs"][0]["shape"] == [1, 16, 16, 3]
    assert "uint8 1x16x16x3, scale 0.05, zero point 128" in edgefm("inspect", net)


def test_inspect_says_which_format_it_is_and_what_it_needs(net: Path, edgefm: Edgefm,
                                                           edgefm_json: Edgefm) -> None:
    fields = edgefm_json("inspect", net)
    assert (fields["format"], fields["version"]) == ("2.0", 0)
    assert fields["features"] == (["EXTERNAL"] if fields["plan"]["maps"] else [])
    assert ", format 2.0" in edgefm("inspect", net).splitlines()[0]


def test_compile_stores_what_it_is_told(model: Path, tmp_path: Path, edgefm_json: Edgefm) -> None:
    path = tmp_path / "net.efm"
    edgefm_json("compile", model, "-o", path, "--preprocess", "mean=1,2,3,order=bgr",
                "--geometry", "stretch")
    stored = edgefm_json("inspect", path)["preprocess"]
    assert stored == {"raw": False, "mean": [1.0, 2.0, 3.0], "std": [1.0], "order": "bgr",
                      "geometry": "stretch"}


def test_a_budget_for_loss_is_kept_and_told(model: Path, photos: Path, tmp_path: Path,
                                            need_module: Callable[[str], None], edgefm: Edgefm,
                                            edgefm_json: Edgefm) -> None:
    need_module("ai_edge_litert")
    budget = ("--cut", "ops", "--fast", "4K", "--calib", photos, "--kl-budget", "0.05")
    net = tmp_path / "coarse.efm"
    rate = edgefm_json("compile", model, "-o", net, *budget)["rate"]
    assert 0 < rate["kl"] <= 0.05 and [step["name"] for step in rate["steps"]] == [
        "features", "pooled", "logits"]
    assert edgefm_json("inspect", net)["rate"] == edgefm_json("plan", net)["rate"] == rate
    for command in ("inspect", "plan"):
        assert "estimated, not measured" in edgefm(command, net)
    assert edgefm_json("diff", model, *budget)["max_abs_diff"] == 0
    judged = edgefm_json("validate", model, "--images", photos, "--labels",
                         photos / "labels.csv", "--workers", "1", *budget)
    assert judged["kl"] > 0  # the judge is the network without coarser maps


def test_a_budget_may_be_spent_on_weights(model: Path, photos: Path, tmp_path: Path,
                                          need_module: Callable[[str], None], edgefm: Edgefm,
                                          edgefm_json: Edgefm) -> None:
    need_module("ai_edge_litert")
    budget = ("--calib", photos, "--kl-budget", "0.05", "--coarsen", "weights")
    net = tmp_path / "coarse.efm"
    rate = edgefm_json("compile", model, "-o", net, *budget)["rate"]
    assert 0 < rate["kl"] <= 0.05 and rate["steps"] == [] and 0 < rate["weight_bits"] < 8
    text = edgefm("inspect", net)
    assert f"{rate['weight_bits']:.2f} bits per weight" in text and "coarser maps" not in text
    assert edgefm_json("diff", model, *budget)["max_abs_diff"] == 0


def test_run_prints_the_best_classes_by_name(net: Path, photos: Path, edgefm: Edgefm,
                                             edgefm_json: Edgefm) -> None:
    fields = edgefm_json("run", net, photos / "0.png")
    scores = [one["score"] for one in fields["top5"]]
    assert {one["name"] for one in fields["top5"]} == {"ant", "bee", "cat", "dog"}
    assert scores == sorted(scores, reverse=True)
    assert fields["input_read_bytes"] == 768
    assert fields["top5"][0]["name"] in edgefm("run", net, photos / "0.png").splitlines()[2]


def test_run_on_several_threads_prints_the_same(net: Path, photos: Path, edgefm_json: Edgefm,
                                                edgefm_error: Edgefm) -> None:
    expected = edgefm_json("run", net, photos / "3.png")
    assert edgefm_json("run", net, photos / "3.png", "--threads", "3") == expected
    assert edgefm_error("run", net, photos / "3.png", "--threads", "33").endswith(
        "threads: got 33, expected a whole number 1..32\n")


def test_run_saves_the_output(net: Path, photos: Path, tmp_path: Path, edgefm: Edgefm) -> None:
    edgefm("run", net, photos / "0.png", "--out", tmp_path / "out.npy")
    edgefm("run", net, photos / "0.png", "--out", tmp_path / "out.npz")
    one = np.load(tmp_path / "out.npy")
    assert one.shape == (1, 4) and one.dtype == np.uint8
    assert np.array_equal(np.load(tmp_path / "out.npz")["scores"], one)


def test_run_takes_an_array_as_it_is(net: Path, photos: Path, tmp_path: Path,
                                     edgefm_json: Edgefm) -> None:
    picture = np.asarray(Image.open(photos / "0.png").resize((16, 16)))
    np.save(tmp_path / "in.npy", picture[None])
    Image.fromarray(picture).save(tmp_path / "in.png")
    assert (edgefm_json("run", net, tmp_path / "in.npy")["top5"]
            == edgefm_json("run", net, tmp_path / "in.png")["top5"])


def test_diff_finds_no_difference(model: Path, photos: Path, edgefm: Edgefm,
                                  edgefm_json: Edgefm) -> None:
    for arguments in (("--random", "3"), ("--images", photos, "--limit", "2")):
        fields = edgefm_json("diff", model, *arguments, "--fast", "4K")
        assert set(fields) >= DIFF_FIELDS
        assert (fields["max_abs_diff"], fields["first_difference"]) == (0, None)
        assert fields["tensors"] + len(fields["folded"]) == 4
    assert "largest difference" in edgefm("diff", model)


@pytest.fixture
def float_ended(tmp_path: Path) -> Path:
    """An integer network that takes float pictures and gives floats."""
    net = Network(4)
    net.inputs.append(net.tensor((1, 8, 9, 3), dtype="float32"))
    x = net.conv(net.node("quantize", net.inputs, (1, 8, 9, 3)), 4)
    path = tmp_path / "ended.tflite"
    path.write_bytes(export_tflite(net.graph(net.dequantize(x))))
    return path


def test_without_pictures_nobody_asks_how_they_are_taken(
        float_ended: Path, photos: Path, tmp_path: Path, edgefm: Edgefm,
        edgefm_json: Edgefm, edgefm_error: Edgefm) -> None:
    assert edgefm_json("plan", float_ended)["fast_bytes"] > 0
    assert edgefm_json("diff", float_ended, "--random", 2)["max_abs_diff"] == 0
    arrays, net = tmp_path / "arrays", tmp_path / "net.efm"
    arrays.mkdir()
    for i in range(4):
        np.save(arrays / f"{i}.npy", np.full((1, 8, 9, 3), i, np.float32))
    assert edgefm_json("diff", float_ended, "--images", arrays)["inputs"] == 4
    assert "--preprocess" in edgefm_error("diff", float_ended, "--images", photos)
    assert "--preprocess" in edgefm_error("compile", float_ended, "-o", net)
    edgefm("compile", float_ended, "-o", net, "--calib", arrays)
    edgefm("run", net, arrays / "1.npy")
    assert "0.png: nothing says how a picture" in edgefm_error("run", net, photos / "0.png")


def test_runs_say_what_an_input_cuts_off(net: Path, tmp_path: Path, capfd: Any) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 16, 16, 3), 9, np.float32))
    (tmp_path / "labels.csv").write_text("file,label\nx.npy,1\n")
    for words in (["run", net, tmp_path / "x.npy"], ["run", net, "--video", tmp_path],
                  ["validate", net, "--images", tmp_path, "--labels", tmp_path / "labels.csv"]):
        assert main([str(word) for word in words]) == 0
        told = capfd.readouterr().err
        assert "768 of 768 values in 1 of 1 .npy files lie outside -6.4..6.35" in told


def test_codecs_measures_every_codec_on_the_same_maps(model: Path, photos: Path, edgefm: Edgefm,
                                                      edgefm_json: Edgefm) -> None:
    arguments = ("codecs", model, "--images", photos, "--cut", "ops", "--limit", "2")
    fields = edgefm_json(*arguments)
    cost = {one["codec"]: one["bits_per_value"] for one in fields["codecs"]}
    assert set(cost) == {n for n, c in CODECS.items() if not c.refers} and cost["raw"] == 8
    assert all((one["error"] is None) == CODECS[one["codec"]].lossless for one in fields["codecs"])
    assert all(one["bits_per_value"] <= one["p99"] <= one["largest"] for one in fields["codecs"])
    assert [one["name"] for one in fields["maps"]] == ["features", "pooled", "logits",
                                                          "scores"]
    assert all(set(one["bits_per_value"]) == set(cost) for one in fields["maps"])
    assert fields["files"] == 2
    assert "bits/value" in edgefm(*arguments)


def test_zoo_lists_and_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edgefm: Edgefm,
                            edgefm_json: Edgefm, data_dir: Path) -> None:
    monkeypatch.setenv("EDGEFM_ZOO_MIRROR", str(data_dir))
    assert "mobilenet_v2" in edgefm("zoo", "list")
    assert len(edgefm_json("zoo", "list")["models"]) == 13
    path = Path(edgefm("zoo", "get", "vww").strip())
    assert path.name == "vww_96_int8.tflite" and path.is_file()


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "VERB"),
    (["fly"], "there is no verb fly"),
    (["plan"], "required"),
    (["plan", "none.tflite"], "none.tflite: no such file"),
    (["plan", "none.tflite", "-o", "none.svg"], "expected --frontier beside it"),
    (["export", "none.efm", "--c", "c"], "none.efm: no such file"),
    (["export", "run1", "--csv", "--amalgamated"], "--amalgamated is for --c"),
    (["export", "run1", "run2", "--csv"], "got 2 recordings, expected one"),
    (["plan", "none.efm", "--frontier"], "a package has one plan"),
    (["plan", "none.efm", "--frontier", "--html", "a.html"], "a package has one plan"),
    (["plan", "MODEL", "--against", "MODEL"], "expected --html FILE.html"),
    (["plan", "MODEL", "--html", "a.html", "--against", "MODEL"], "not an .efm package"),
    (["plan", "MODEL", "--html", "a.html", "--frontier", "-o", "a.svg"], "and no --html"),
    (["plan", "none.efm"], "none.efm: no such file"),
    (["plan", "MODEL", "--fast", "many"], "expected a size"),
    (["plan", "MODEL", "--fast", "100"], "smallest feasible"),
    (["plan", "MODEL", "--cut", "nowhere"], "nowhere"),
    (["plan", "MODEL", "--codec", "nothing"], "nothing"),
    (["plan", "MODEL", "--codec", "rle", "--tolerance", "1"], "needs the codec temporal, got rle"),
    (["plan", "MODEL", "--codec", "temporal", "--tolerance", "256"], "from 0 to 255"),
    (["run", "net.efm"], "net.efm: expected INPUT, or --video"),
    (["run", "net.efm", "--video", "clip", "--draw", "a.png"], "neither --out nor --draw"),
    (["plan", "MODEL", "--target", "no-board"], "no-board"),
    (["plan", "MODEL", "--preprocess", "guess"], "raw|tf"),
    (["compile", "MODEL"], "-o"),
    (["compile", "MODEL", "-o", "no/such/folder/net.efm"], "no/such/folder"),
    (["compile", "MODEL", "-o", "net.efm", "--names", "PHOTOS/labels.csv"], "21 names for 4"),
    (["plan", "MODEL", "--kl-budget", "0"], "above 0"),
    (["plan", "MODEL", "--accuracy-budget", "some"], "above 0"),
    (["plan", "MODEL", "--kl-budget", "1", "--byte-budget", "4K"], "not allowed with"),
    (["plan", "MODEL", "--kl-budget", "0.01", "--fast", "4K", "--cut", "ops"], "--calib DIR"),
    (["plan", "MODEL", "--coarsen", "weights"], "without a budget for loss"),
    (["plan", "MODEL", "--coarsen", "both", "--byte-budget", "4K"], "without a budget for loss"),
    (["plan", "MODEL", "--coarsen", "both", "--kl-budget", "1", "--rate-rule", "deviation",
      "--calib", "PHOTOS"], "expected slope"),
    (["plan", "MODEL", "--coarsen", "all", "--kl-budget", "1"], "maps"),
    (["inspect", "MODEL"], "not an .efm"),
    (["run", "MODEL", "PHOTOS/0.png"], "not an .efm"),
    (["diff", "MODEL", "--images", "no-folder"], "no-folder"),
    (["diff", "MODEL", "--random", "0"], "from 1 up"),
    (["validate", "MODEL", "--images", "PHOTOS"], "--labels"),
    (["validate", "MODEL", "--images", "PHOTOS", "--labels", "PHOTOS/0.png"], "not a text file"),
    (["zoo", "get", "alexnet"], "alexnet"),
    (["codecs", "MODEL", "--images", "no-folder"], "no-folder"),
])
def test_mistakes_are_one_line(model: Path, photos: Path, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch, edgefm_error: Edgefm,
                               arguments: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    told = [part.replace("MODEL", str(model)).replace("PHOTOS", str(photos)) for part in arguments]
    assert message in edgefm_error(*told)


def test_run_names_a_broken_picture(net: Path, tmp_path: Path, edgefm_error: Edgefm) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8\xff")
    assert "cat.jpg" in edgefm_error("run", net, tmp_path / "cat.jpg")


def test_run_wants_one_file_per_input(net: Path, photos: Path, edgefm_error: Edgefm) -> None:
    complaint = edgefm_error("run", net, photos / "0.png", photos / "1.png")
    assert "got 2 input files, expected 1 (pixels)" in complaint


def test_run_draws_nothing_without_boxes(net: Path, photos: Path, tmp_path: Path,
                                         edgefm_error: Edgefm) -> None:
    assert "--draw" in edgefm_error("run", net, photos / "0.png", "--draw", tmp_path / "a.png")


@pytest.mark.parametrize("cut", [0, 3, 20, 200])
def test_a_truncated_package_is_one_line(net: Path, edgefm_error: Edgefm, cut: int) -> None:
    net.write_bytes(net.read_bytes()[:cut])
    assert "net.efm" in edgefm_error("inspect", net)


def test_a_closed_pipe_is_no_error(model: Path, root: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([sys.executable, "-m", "host_tools.cli", "plan", str(model)],
                            stdout=write, stderr=subprocess.PIPE, cwd=root, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (0, b"")


def test_boxes_and_masks_of_real_networks(data_dir: Path, tmp_path: Path, edgefm: Edgefm,
                                          edgefm_json: Edgefm,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEFM_ZOO_MIRROR", str(data_dir))
    room = next((data_dir / "other/indoor_detection").glob("2007_000027.jpg"))
    edgefm("compile", edgefm("zoo", "get", "ssd_mobilenet_v1").strip(), "-o", tmp_path / "a.efm")
    found = edgefm_json("run", tmp_path / "a.efm", room, "--draw", tmp_path / "a.png")["boxes"]
    assert found and all(box["name"] and 0 <= box["left"] <= box["right"] for box in found)
    assert Image.open(tmp_path / "a.png").size == Image.open(room).size


def test_small_calibration_pictures_are_a_warning_and_not_an_error(
        model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        Image.new("RGB", (7, 6), (number, 90, 30)).save(tmp_path / f"{number}.png")
    assert main(["plan", str(model), "--cut", "ops", "--fast", "4K", "--codec", "context",
                 "--calib", str(tmp_path)]) == 0
    complaint = capfd.readouterr().err
    assert complaint.count("\n") == 1 and complaint.startswith("edgefm: warning: ")
    assert "0.png: 7x6 pixels are enlarged to 16x16: ranges, codec tables and budgets" in complaint


def test_a_clip_is_run_frame_by_frame(model: Path, photos: Path, tmp_path: Path,
                                      edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    np.save(tmp_path / "clip.npy", np.stack([frame] * 3))
    net = tmp_path / "net.efm"
    edgefm("compile", model, "--calib", photos, "--cut", "ops", "--codec", "temporal",
           "--tolerance", "1", "-o", net)
    clip = edgefm_json("run", net, "--video", tmp_path / "clip.npy")
    found = clip["frames"]
    assert 3 * sum(one["write_bytes"] for one in clip["maps"]) == pytest.approx(
        sum(one["external_write_bytes"] for one in found))
    assert [one["name"] for one in found] == ["frame 0", "frame 1", "frame 2"]
    sizes = [one["coded_bytes"] for one in found]
    assert sizes[1] == sizes[2] < sizes[0] / 3
    text = edgefm("run", net, "--video", tmp_path / "clip.npy")
    assert f"{sizes[0]:,} bytes in the first frame, {sizes[1]:,} in each of the others" in text
    assert "the frame before takes" in text
    folder = edgefm_json("run", net, "--video", photos)["frames"]
    assert len(folder) == 20 and folder[0]["name"] < folder[1]["name"]


def test_plan_says_what_the_other_objective_gives(model: Path, edgefm: Edgefm,
                                                  edgefm_json: Edgefm) -> None:
    for objective, other in (("cost", "maps"), ("maps", "cost")):
        told = edgefm_json("plan", model, "--fast", "4K", "--objective", objective)
        alone = edgefm_json("plan", model, "--fast", "4K", "--objective", other)
        assert told["other_objective"] == {"objective": other, **{
            name: alone[name] for name in ("external_read_bytes", "external_write_bytes",
                                           "weight_read_bytes")}}
        assert f"--objective {other}  would move" in edgefm(
            "plan", model, "--fast", "4K", "--objective", objective)


def test_plan_says_why_a_map_is_raw_and_what_coding_is_expected_to_leave(
        model: Path, edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    raw = edgefm_json("plan", model, "--cut", "ops")
    moved = raw["external_read_bytes"] + raw["external_write_bytes"]
    assert raw["expected_map_bytes"] == moved > 0 == raw["coded_values"]
    assert {m["why_raw"] for m in raw["maps"]} == {"no --codec"}
    coded = edgefm_json("plan", model, "--cut", "ops", "--codec", "rle")
    assert coded["expected_map_bytes"] < moved and coded["coded_values"] > 0
    assert all(("why_raw" in m) == (m["codec"] == "raw") for m in coded["maps"])
    assert "values to code and decode, which takes time" in edgefm(
        "plan", model, "--cut", "ops", "--codec", "rle")
