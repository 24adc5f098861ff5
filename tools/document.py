# SPDX-License-Identifier: Apache-2.0
"""Fill in what the documents say of the runtime's size, from the build, and of its speed.

A region of a document, from `<!-- generated: NAME -->` to `<!-- end -->`, is made here and nowhere
else. Without an option the regions are written, with --check the documents that differ are named.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from linked import (
    COMPILER,
    EXECUTOR,
    FLAGS,
    MOBILENET_V2,
    ROOT,
    Build,
    all_but,
    listed,
    sections,
    sources,
    switched_off,
)
from size import measure

sys.path.insert(0, str(ROOT / "benchmarks"))
import _fits
import _peers

DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
REGION = re.compile(r"(<!-- generated: ([\w-]+) -->).*?(<!-- end -->)", re.DOTALL)
VERSION = "12.2"  # another compiler gives other bytes
INCLUDES = ("native/include", "firmware/common")
LOOPS = ("MAPS", "CONV_ROWS", "DEPTHWISE_WINDOWS")  # more of them, which MobileNetV2's figure has
PATH = ("run.c:efm_run", "run.c:fire", "ops/conv.c:conv_run", "kernels/dsp/conv.c:efm_dsp_conv",
        "kernels/dsp/conv.c:make_channels")
COLUMNS = 3

class Figures:
    """Everything that a region may say, measured once and only when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._build = Build(folder)
        self._whole = Build(folder, "-flto")
        self._linked = cache(lambda off: self._build.linked(switched_off(off)))

    def regions(self) -> dict[str, Callable[[], str]]:
        """What makes each region."""
        return {"code-size": self.code_size, "code-totals": self.code_totals,
                "switch-costs": self.switch_costs, "kernel-costs": self.kernel_costs,
                "stack": self.stack, "agent-state": self.agent_state,
                "counts": self.counts, "headline": self.headline, "fits": self.fits}

    def code_size(self) -> str:
        """README: the runtime for one network and for all."""
        return (f"{_kb(self._only(MOBILENET_V2))} of code on a Cortex-M4 for MobileNetV2 and\n"
                f"{_kb(self._linked(()))} with every operator and codec")

    def code_totals(self) -> str:
        """PORTING: all, nothing, and one network's operators."""
        return (f"\nEverything on is {self._linked(()):,} bytes with the compiler's soft-float "
                f"helpers; everything off (container check and\nexecutor) "
                f"{self._only(frozenset()):,}; the operators of MobileNetV2 without codecs "
                f"{self._only(MOBILENET_V2):,}, with `-flto` "
                f"{self._whole.linked(switched_off(all_but(MOBILENET_V2))):,}.\n")

    def switch_costs(self) -> str:
        """PORTING: what each switch takes with it, in columns."""
        whole = self._linked(())
        cells = [f"`EFM_WITH_{name}` | {whole - self._linked((name,)):,}"
                 for name in (*listed("ops"), *listed("codecs"), *EXECUTOR, *LOOPS)]
        rows = -(-len(cells) // COLUMNS)
        cells += [" | "] * (rows * COLUMNS - len(cells))
        body = (" | ".join(cells[row::rows]) for row in range(rows))
        lines = (" | ".join(["Switch | Bytes"] * COLUMNS), " | ".join(["--- | ---:"] * COLUMNS),
                 *body)
        return "\n\n" + "".join(f"| {line} |\n" for line in lines) + "\n"

    def kernel_costs(self) -> str:
        """PORTING: what is added by the kernel of a Cortex-M4 and by the row tap."""
        whole = self._linked(())
        kernel = whole - self._build.linked({"KERNEL_DSP": 0})
        tap = self._build.linked({"WITH_TAP": 1}) - whole
        return (f"\nThe kernel behind `EFM_KERNEL_DSP` takes {kernel:,} bytes, the row tap behind "
                f"`EFM_WITH_TAP` {tap:,}.\n")

    def stack(self) -> str:
        """PORTING: the frames of the deepest path."""
        frames = {frame.name: frame.bytes for source in sources()
                  for frame in measure(source, self._folder)[1]}
        path = [(name.rpartition(":")[2], frames[name]) for name in PATH]
        said = ", ".join(f"`{name}` {size}" for name, size in path)
        return f"{said}:\n  {sum(size for _, size in path)} bytes"

    def agent_state(self) -> str:
        """PORTING: the firmware's one struct."""
        source, target = self._folder / "state.c", self._folder / "state.o"
        source.write_text('#include "agent.h"\nchar state[sizeof(efm_agent)];\n', encoding="utf-8")
        subprocess.run([COMPILER, *FLAGS, *(f"-I{ROOT / path}" for path in INCLUDES), "-c",
                        str(source), "-o", str(target)], check=True)
        return f"takes {sum(sections(target)[1:]):,} bytes"

    def counts(self) -> str:
        """RESULTS: counts beside peers'; from counts.json, which a test holds."""
        return "\n\n" + "".join(f"{line}\n" for line in _peers.lines()) + "\n"

    def headline(self) -> str:
        """README: the same of few networks on two processors."""
        return "\n\n" + "".join(f"{line}\n" for line in _peers.headline()) + "\n"

    def fits(self) -> str:
        """README: what fits into which device; from fits.json, which benchmarks/fits.py writes."""
        return "\n\n" + "".join(f"{line}\n" for line in _fits.lines(_fits.stored())) + "\n"

    def _only(self, operators: frozenset[str]) -> int:
        return self._linked(all_but(operators))


def _kb(size: int) -> str:
    return f"{size / 1000:.0f} KB"


def filled(text: str, regions: Mapping[str, Callable[[], str]]) -> str:
    """A document with what its regions say now. Raises KeyError for a region that nothing makes."""
    return REGION.sub(lambda found: found[1] + regions[found[2]]() + found[3], text)


def missing() -> str | None:
    """Why this machine cannot tell the sizes; None: it can."""
    if shutil.which(COMPILER) is None:
        return f"needs {COMPILER}; ./inv setup installs it"
    version = subprocess.run([COMPILER, "-dumpversion"], check=True, text=True,
                             capture_output=True).stdout.strip()
    if not version.startswith(f"{VERSION}."):
        return f"got {COMPILER} {version}, expected {VERSION}, of which the documents speak"
    return None


def main() -> int:
    """Write or check; 1 when a document differs, 2 without the compiler."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    options = parser.parse_args()
    if lack := missing():
        print(f"document: {lack}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        regions = Figures(Path(folder)).regions()
        stale = [path for path in DOCUMENTS if _update(path, regions, write=not options.check)]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: sizes {'differ' if options.check else 'written'}")
    return 1 if stale and options.check else 0


def _update(path: Path, regions: Mapping[str, Callable[[], str]], write: bool) -> bool:
    """Make a document's regions; True where it differed."""
    before = path.read_text(encoding="utf-8")
    after = filled(before, regions)
    if write and after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


if __name__ == "__main__":
    sys.exit(main())
