# SPDX-License-Identifier: Apache-2.0
"""List public models, or fetch one into the cache and print where it is."""

from __future__ import annotations

import argparse

from edgefm import zoo
from edgefm.console.terminal import say_path
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_json, print_table
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm zoo get mobilenet_v2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`zoo list` and `zoo get NAME`."""
    actions = parser.add_subparsers(metavar="list|get", required=True)
    listing = actions.add_parser("list", help="show the models")
    add_json(listing)
    listing.set_defaults(action=_list)
    getting = actions.add_parser("get", help="fetch a model and its class names into the cache")
    getting.add_argument("name", metavar="NAME", help="as `edgefm zoo list` shows it")
    add_json(getting)
    getting.set_defaults(action=_get)


def run(arguments: argparse.Namespace) -> None:
    """Do the chosen action."""
    arguments.action(arguments)


def _list(arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({"models": [{"name": e.name, "about": e.about, "file": e.model.file,
                                "bytes": e.model.size, "sha256": e.model.sha256,
                                "url": e.model.url or None, "preprocess": e.preprocess,
                                "geometry": e.geometry} for e in zoo.ENTRIES]})
    else:
        print_table(("name", "bytes", "preprocess", "geometry", "about"),
                    [(e.name, e.model.size, e.preprocess or "-", e.geometry or "-", e.about)
                     for e in zoo.ENTRIES])


def _get(arguments: argparse.Namespace) -> None:
    entry = zoo.find(arguments.name)
    with progress_bar(entry.model.file, entry.model.size, "B") as bar:
        path = zoo.get(entry.model, progress=lambda there, _: bar.update(there - bar.n))
    labels = zoo.get(entry.labels) if entry.labels else None
    if arguments.json:
        print_json({"name": entry.name, "path": str(path), "labels": labels and str(labels),
                    "model_sha256": entry.model.sha256})
    else:
        say_path(path)
