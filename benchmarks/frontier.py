# SPDX-License-Identifier: Apache-2.0
"""Draws README's picture: memory against bytes against instructions, ours and a peer's.

The columns are those of `edgefm plan --frontier --target cortex-m4` for MobileNetV2 1.0 at
224 x 224 pixels. TFLite Micro with CMSIS-NN stands beside them, with the arena that it uses and
the instructions in peers.json.
"""

from __future__ import annotations

from pathlib import Path

from _common import data_folder, parser, print_command, say
from _peers import BEST, peers

from edgefm import zoo
from edgefm.compiler.frontier import compile_frontier
from edgefm.compiler.options import CompileOptions
from edgefm.files.write import write_file
from edgefm.html.frontier import LOOKS, Peer, drawing
from edgefm.html.pictures import svg_file

NETWORK, NAME = "mobilenet_v2", "MobileNetV2 1.0 224, Cortex-M4"
PEER_ARENA = 1_660_116  # bytes, as `arena_used_bytes` of TFLite Micro 90b983c2 says
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "mobilenet_v2.svg"


def main() -> None:
    """Plan every size, draw, keep."""
    options = parser(__doc__).parse_args()
    file = data_folder(options.data) / "models" / zoo.find(NETWORK).model.file
    _, points = compile_frontier(file, CompileOptions(target="cortex-m4", pictures=False),
                                 lambda done, total: say(f"size {done} of {total}"))
    beside = Peer(BEST, PEER_ARENA, peers("cortex-m4", "mobilenet_v2")[BEST])
    write_file(PICTURE, svg_file(drawing(NAME, [point.to_json() for point in points], [beside]),
                                 LOOKS))
    print_command()
    print(f"{PICTURE.name}: {len(points)} sizes of fast memory")


if __name__ == "__main__":
    main()
