# SPDX-License-Identifier: Apache-2.0
"""Tests mirror the tree: a module's test is at its own path below tests/, or is named here.

`edgefm/x/y.py` is tested in `tests/edgefm/x/test_y.py`, `native/src/x/y.c` in
`tests/native/x/test_y.py`, a package's own names in `test_x.py` beside its modules' tests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

# Where modules without a test of their own are tested; a name with a * stands for several.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    # Python: what a package does as a whole
    "tests/edgefm/codecs/test_codecs.py": (
        "edgefm/codecs/raw.py", "edgefm/codecs/rice.py", "edgefm/codecs/tans.py",
        "edgefm/codecs/interface.py", "edgefm/codecs/engine/zeros.py",
        "edgefm/codecs/fit/tans_fit.py"),
    "tests/edgefm/compiler/test_check.py": ("edgefm/importers/faults.py",),
    "tests/edgefm/compiler/test_pipeline.py": (
        "edgefm/compiler/deployed.py", "edgefm/compiler/job.py"),
    "tests/edgefm/compiler/test_choose_codec.py": (
        "edgefm/compiler/coded_maps.py", "edgefm/compiler/map_samples.py"),
    "tests/edgefm/compiler/test_calibration.py": ("edgefm/files/suffixes.py",),
    "tests/edgefm/codecs/engine/test_static.py": ("edgefm/codecs/fit/static_fit.py",),
    "tests/edgefm/codecs/test_dctcm.py": ("edgefm/codecs/fit/dctcm_fit.py",),
    "tests/edgefm/codecs/test_gf2.py": ("edgefm/codecs/fit/gf2_fit.py",),
    "tests/edgefm/codecs/test_temporal.py": ("edgefm/codecs/fit/temporal_fit.py",),
    "tests/edgefm/lower/test_lower.py": ("edgefm/lower/*.py", "edgefm/network/program.py"),
    "tests/edgefm/ops/test_ops.py": ("edgefm/ops/call.py", "edgefm/ops/window.py"),
    "tests/edgefm/html/test_plan_report.py": ("edgefm/html/*.py",),
    "tests/edgefm/importers/test_onnx.py": ("edgefm/importers/onnx_build.py",
                                             "edgefm/importers/onnx_operators.py",
                                             "edgefm/importers/onnx_windows.py"),
    "tests/edgefm/importers/test_onnx_moves.py": (
        "edgefm/importers/onnx_gelu.py", "edgefm/importers/onnx_pointwise.py",
        "edgefm/importers/onnx_reductions.py"),
    "tests/edgefm/importers/test_integers.py": ("edgefm/importers/onnx_quantized.py",),
    "tests/edgefm/importers/test_check.py": ("edgefm/importers/rules.py",
                                             "edgefm/importers/moved_shapes.py"),
    "tests/edgefm/importers/test_convolutions.py": ("edgefm/importers/draft.py",),
    "tests/edgefm/importers/test_tflite.py": (
        "edgefm/importers/__init__.py", "edgefm/importers/tflite_*.py"),
    "tests/edgefm/exporters/test_tflite.py": ("edgefm/exporters/tflite_*.py",),
    "tests/edgefm/planner/test_planner.py": (
        "edgefm/planner/model.py", "edgefm/planner/smallest.py", "edgefm/planner/within.py"),
    "tests/edgefm/planner/test_build.py": ("edgefm/planner/storage.py",),
    "tests/edgefm/planner/test_instructions.py": ("edgefm/planner/figures.py",),
    "tests/edgefm/kernels/test_work.py": (
        "edgefm/kernels/conv_work.py", "edgefm/kernels/depthwise_work.py",
        "edgefm/kernels/loops.py"),
    "tests/edgefm/planner/test_slices.py": ("edgefm/kernels/slices.py",),
    "tests/edgefm/package/test_read.py": ("edgefm/package/meta.py",),
    "tests/edgefm/quantization/test_choose.py": (
        "edgefm/quantization/engine.py", "edgefm/quantization/works.py"),
    "tests/edgefm/rate_distortion/test_gradient.py": ("edgefm/rate_distortion/fisher.py",),
    "tests/edgefm/runtime/test_runtime.py": (
        "edgefm/runtime/build.py", "edgefm/runtime/load.py", "edgefm/runtime/result.py"),
    "tests/edgefm/evaluate/sweep/test_sweep.py": ("edgefm/evaluate/sweep/*.py",),
    "tests/edgefm/evaluate/validate/test_unit.py": (
        "edgefm/evaluate/validate/__init__.py", "edgefm/evaluate/validate/networks.py"),
    "tests/edgefm/demo/test_table.py": ("edgefm/demo/subjects.py",),
    "tests/edgefm/training/test_networks.py": (
        "edgefm/training/digits.py", "edgefm/training/shapes.py"),
    # Host tools: verbs are tried as a user types them
    "tests/host_tools/cli/test_cli.py": (
        "host_tools/cli/__main__.py", "host_tools/cli/arguments.py", "host_tools/cli/clip.py",
        "host_tools/cli/codecs.py", "host_tools/cli/compilation.py", "host_tools/cli/compile.py",
        "host_tools/cli/diff.py", "host_tools/cli/inspect.py", "host_tools/cli/plan.py",
        "host_tools/cli/plan_page.py", "host_tools/cli/run.py", "host_tools/cli/zoo.py",
        "edgefm/compiler/other_objective.py"),
    "tests/host_tools/cli/test_board.py": (
        "host_tools/boards/connect.py", "host_tools/boards/find.py", "host_tools/cli/boards.py",
        "host_tools/cli/connect.py", "host_tools/cli/flash.py", "host_tools/cli/stop.py",
        "host_tools/cli/cp.py", "host_tools/cli/deploy.py", "host_tools/cli/device.py",
        "host_tools/cli/devs.py", "host_tools/cli/df.py", "host_tools/cli/info.py",
        "host_tools/cli/ls.py", "host_tools/cli/memory.py", "host_tools/cli/profile.py",
        "host_tools/cli/reset.py",
        "host_tools/cli/rm.py", "host_tools/cli/sha256.py", "host_tools/cli/store.py"),
    "tests/host_tools/cli/test_line.py": ("host_tools/cli/version.py",),
    "tests/host_tools/cli/test_parsing.py": ("host_tools/cli/help.py",),
    "tests/host_tools/cli/test_record.py": ("host_tools/cli/export.py", "host_tools/cli/meters.py"),
    "tests/host_tools/cli/test_report.py": ("host_tools/cli/compare.py",),
    "tests/host_tools/cli/test_names.py": (
        "host_tools/cli/output.py", "host_tools/cli/saving.py"),
    "tests/host_tools/cli/test_validate.py": ("host_tools/cli/sweep.py",),
    "tests/host_tools/boards/test_flash.py": (
        "host_tools/boards/build.py", "host_tools/boards/tree.py"),
    "tests/host_tools/link/test_device.py": (
        "host_tools/link/__init__.py", "host_tools/link/answers.py",
        "host_tools/link/requests.py", "host_tools/link/runs.py", "host_tools/link/store.py"),
    "tests/edgefm/package/test_traffic.py": ("edgefm/package/counters.py",),
    "tests/firmware/test_import.py": ("host_tools/link/shared_memory.py",),
    "tests/firmware/test_proof.py": ("host_tools/link/memory_test.py",),
    "tests/host_tools/measurement/test_energy.py": (
        "host_tools/measurement/align.py", "host_tools/measurement/runs.py"),
    "tests/host_tools/measurement/test_record.py": ("host_tools/measurement/about.py",),
    "tests/host_tools/outputs/monitor/test_server.py": ("host_tools/outputs/monitor/__init__.py",),
    "tests/host_tools/outputs/report/test_page.py": ("host_tools/outputs/report/*.py",),
    "tests/host_tools/power/test_meters.py": ("host_tools/power/__init__.py",),
    "tests/host_tools/power/test_polled.py": (
        "host_tools/power/hwmon.py", "host_tools/power/pmic.py"),
    "tests/host_tools/recording/test_recording.py": ("host_tools/recording/*.py",),
    # C: operators and codecs are tried through their tables, each against its Python twin
    "tests/native/ops/test_ops.py": ("native/src/ops/*", "native/src/rows.*"),
    "tests/native/codecs/test_codecs.py": ("native/src/codecs/*.[ch]",
                                           "native/src/codecs/engine/*.[ch]"),
    "tests/native/weights/test_weights.py": ("native/src/weights/*",),
    "tests/native/ops/test_conv.py": ("native/src/kernels/*", "native/src/kernels/*/*"),
    "tests/native/kernels/test_elements.py": ("native/src/kernels/elements/*",),
    "tests/native/memory/test_memory.py": (
        "native/src/memory/*", "native/src/codecs/shift.*", "native/src/codecs/tiles.*"),
    "tests/edgefm/package/test_weight_tiles.py": ("native/src/tiles/*",),
    "tests/native/test_model.py": ("native/src/check*.*",),
    "tests/spec/test_format.py": ("edgefm/package/records.py", "edgefm/planner/arena.py",
                                  "native/src/format.h"),
    "tests/host_tools/outputs/test_c_project.py": ("native/src/switches.h",),
    "tests/spec/test_native_builds.py": ("native/src/build.c", "native/src/config.h",
                                         "native/src/switch.h", "native/src/kernels/mve/*"),
}
NAMES_ONLY = 3  # lines: a package's file that has its docstring and no code


def _modules(root: Path) -> Iterator[Path]:
    """Every product module that could have a test, relative to the root."""
    for folder, pattern in (("edgefm", "*.py"), ("host_tools", "*.py"), ("native/src", "*.[ch]")):
        for path in sorted((root / folder).rglob(pattern)):
            lines = path.read_text(encoding="utf-8").splitlines()
            if not (path.stem == "__init__" and len(lines) <= NAMES_ONLY):
                yield path.relative_to(root)


def _mirror(module: Path) -> Path:
    """Where the test of a module belongs."""
    parts = [part for part in module.parent.parts if part != "src"]
    own = {"__init__": parts[-1], "__main__": "main"}.get(module.stem, module.stem)
    return Path("tests", *parts, f"test_{own}.py")


@pytest.fixture(scope="module")
def without_own_test(root: Path) -> list[Path]:
    """Modules with nothing at the mirrored path."""
    return [module for module in _modules(root) if not (root / _mirror(module)).is_file()]


def test_every_module_has_a_test_at_the_mirrored_path_or_is_named(
        without_own_test: list[Path]) -> None:
    named = [pattern for patterns in ELSEWHERE.values() for pattern in patterns]
    lost = [f"{module}: expected {_mirror(module)}, or where it is tested in ELSEWHERE"
            for module in without_own_test
            if not any(module.match(pattern) for pattern in named)]
    assert not lost, "\n".join(lost)


def test_what_is_named_exists_and_needs_to_be_named(root: Path,
                                                    without_own_test: list[Path]) -> None:
    idle = [f"{pattern} in {test}" for test, patterns in ELSEWHERE.items() for pattern in patterns
            if not any(module.match(pattern) for module in without_own_test)]
    assert not idle
    assert [test for test in ELSEWHERE if not (root / test).is_file()] == []


def test_every_test_of_a_package_stands_in_a_folder_that_the_package_has(root: Path) -> None:
    for product, tests in (("edgefm", "tests/edgefm"), ("host_tools", "tests/host_tools"),
                           ("native/src", "tests/native")):
        folders = {path.parent.relative_to(root / tests)
                   for path in (root / tests).rglob("test_*.py")}
        homes = (root / product, root / "native") if product == "native/src" else (root / product,)
        assert [folder for folder in folders
                if not any((home / folder).is_dir() for home in homes)] == []
