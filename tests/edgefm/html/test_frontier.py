# SPDX-License-Identifier: Apache-2.0
"""The picture of a frontier: a column per point, true to scale, whatever the network is called."""

import xml.etree.ElementTree as ElementTree

import pytest

from edgefm.html.frontier import LOOKS, Peer, drawing
from edgefm.html.pictures import svg_file

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [{"budget": 40_960, "map_bytes": 3_000_000, "weight_read_bytes": 6_000_000,
           "moved_bytes": 9_000_000},
          {"budget": 81_920, "map_bytes": 0, "weight_read_bytes": 4_500_000,
           "moved_bytes": 4_500_000}]


COUNTED = [point | {"instructions": 300_000_000} for point in POINTS]
PEER = Peer("somebody else", 1_660_116, 797_000_000)


def columns(name: str, points: list[dict[str, int]] = POINTS,
            peers: tuple[Peer, ...] = ()) -> list[ElementTree.Element]:
    """Rectangles of one class that say what they show."""
    root = ElementTree.fromstring(svg_file(drawing("net", points, peers), LOOKS).encode())
    return [one for one in root.iter(f"{SVG}rect")
            if one.get("class") == name and one.find(f"{SVG}title") is not None]


def test_columns_are_true_to_scale() -> None:
    maps, weights = columns("maps"), columns("weights")
    assert len(maps) == 1 and len(weights) == 2  # no bytes, no rectangle
    heights = [float(one.get("height", "")) for one in (*weights, *maps)]
    assert heights[0] / heights[1] == pytest.approx(6 / 4.5, rel=0.01)
    assert heights[0] / heights[2] == pytest.approx(6 / 3, rel=0.01)


def test_a_column_says_what_it_shows() -> None:
    said = columns("weights")[0].findtext(f"{SVG}title")
    assert said == "40.0 KiB of fast memory: 3,000,000 B of maps, 6,000,000 B of weights"


def test_every_budget_and_sum_is_labeled() -> None:
    root = ElementTree.fromstring(svg_file(drawing("net", POINTS), LOOKS).encode())
    texts = {one.text for one in root.iter(f"{SVG}text")}
    assert {"40", "80", "9.0", "4.5", "fast memory, KiB"} <= texts


def test_instructions_and_peers_stand_below_bytes() -> None:
    ours, theirs = columns("counts", COUNTED, (PEER,)), columns("peer", COUNTED, (PEER,))
    tall = [float(one.get("height", "")) for one in (ours[0], theirs[0])]
    assert len(ours) == 2 and tall[1] / tall[0] == pytest.approx(797 / 300, rel=0.01)
    assert theirs[0].findtext(f"{SVG}title") == (
        "somebody else, 1.6 MiB of fast memory: 797,000,000 instructions")
    below = [float(one.get("y", "")) for one in (*ours, *theirs)]
    assert min(below) > max(float(one.get("y", "")) for one in columns("maps", COUNTED, (PEER,)))


def test_without_instructions_of_every_point_none_are_drawn() -> None:
    assert not columns("counts", [*COUNTED[:1], *POINTS[1:]], (PEER,))
    assert not columns("peer", POINTS, (PEER,))


def test_a_hostile_name_stays_text() -> None:
    drawn = svg_file(drawing("</title><script>alert(1)</script>\x00", POINTS), LOOKS)
    root = ElementTree.fromstring(drawn.encode())
    assert not list(root.iter(f"{SVG}script")) and "\x00" not in drawn


def test_one_point_that_moves_nothing_is_drawn() -> None:
    point = dict.fromkeys(POINTS[0], 0) | {"budget": 1}
    ElementTree.fromstring(svg_file(drawing("net", [point]), LOOKS).encode())
