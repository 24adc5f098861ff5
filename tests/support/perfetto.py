# SPDX-License-Identifier: Apache-2.0
"""What ui.perfetto.dev does with the slices of a trace: which it draws and which it drops."""

from collections import defaultdict


def nanoseconds(micro):
    """A time as its importer reads it: whole numbers as they are, others cut off."""
    return micro * 1000 if isinstance(micro, int) else int(micro * 1000)


def dropped(events):
    """Slices that are not drawn. Those of a thread are taken by their begin, at one time in the
    order of the file; one that begins in another must not end behind it, and an E ends the last
    B that is open."""
    threads = defaultdict(list)
    for event in events:
        if event["ph"] in ("X", "B", "E"):
            threads[event["pid"], event["tid"]].append(event)
    return [event for mine in threads.values() for event in _dropped(mine)]


def _dropped(events):
    lost, open_ones = [], []  # those that are open: ns of their end, None for a B
    for event in sorted(events, key=lambda event: nanoseconds(event["ts"])):
        at = nanoseconds(event["ts"])
        while open_ones and open_ones[-1] is not None and open_ones[-1] <= at:
            open_ones.pop()
        if event["ph"] == "E":
            if open_ones and open_ones[-1] is None:
                open_ones.pop()
            else:
                lost.append(event)
            continue
        end = at + nanoseconds(event["dur"]) if event["ph"] == "X" else None
        around = [stop for stop in open_ones if stop is not None]
        if end is not None and around and end > min(around):
            lost.append(event)
        else:
            open_ones.append(end)
    return lost
