# SPDX-License-Identifier: Apache-2.0
"""An `.onnx` file as its protobuf message, with the constants that lie in files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from edgefm.errors import BadInput, MissingTool, UnsupportedModel
from edgefm.files.read import MOST_MODEL, one_line, open_file, read_bytes
from edgefm.importers.onnx_functions import MOST_NODES, in_order, inlined

if TYPE_CHECKING:
    import onnx

MOST_NAME = 1 << 12      # characters
_MOST_DIGITS = 19        # of a position in a file


def read_model(path: Path) -> tuple[onnx.ModelProto, int]:
    """The checked model in a file, and how many bytes it has, those of files beside it included.

    Raises BadInput for an invalid model, UnsupportedModel for more than `MOST_NODES` nodes,
    MissingTool without the `onnx` package.
    """
    try:
        import onnx
        undecodable = import_module("google.protobuf.message").DecodeError
    except ImportError as error:
        raise MissingTool("a .onnx file needs the onnx package: pip install 'edgefm[onnx]'"
                          ) from error
    data = read_bytes(path)
    try:
        model = onnx.load_model_from_string(data)
    except (undecodable, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not a readable ONNX file: {first_line(error)}") from error
    if not model.graph.node:
        raise BadInput(f"{path}: not an ONNX model, or one without nodes")
    model = inlined(path, model)
    in_order(model)
    nodes = model.graph.node
    if len(nodes) > MOST_NODES:
        raise UnsupportedModel(f"{path}: {len(nodes)} nodes, expected at most {MOST_NODES}")
    if max(len(name) for node in nodes for name in (node.name, *node.output)) > MOST_NAME:
        raise BadInput(f"{path}: a name of more than {MOST_NAME} characters")
    return model, len(data) + _fetch(path, model)


def check_model(path: Path, model: onnx.ModelProto) -> None:
    """Let ONNX check names, order, and the types of all attributes. Raises BadInput.

    Types and shapes of outputs, which tools leave out, follow from the nodes: ONNX gets stand-ins.
    """
    import onnx
    for value in model.graph.output:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise BadInput(f"{path}: malformed ONNX model: {first_line(error)}") from error


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes that ONNX can tell, by name; an open batch is 1."""
    import onnx
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for value in plain.graph.output:  # stand-ins of `check_model`
        value.type.tensor_type.ClearField("shape")
    try:
        graph = onnx.shape_inference.infer_shapes(plain, data_prop=True).graph
    except Exception:  # whatever ONNX makes of a hostile model; nothing is told then
        return {}
    shapes = {}
    for value in (*graph.value_info, *graph.output):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if dims and min(dims[1:], default=1) > 0:
            shapes[value.name] = (max(dims[0], 1), *dims[1:])
    return shapes


def first_line(error: BaseException) -> str:
    """What an error says, without what follows the first line."""
    lines = str(error).strip().splitlines()
    return one_line(ValueError(lines[0]) if lines else error)


def _fetch(path: Path, model: onnx.ModelProto) -> int:
    """Put the bytes that lie in other files into the model; how many that were."""
    fetched = 0
    for tensor in _constants(model):
        if tensor.data_location == tensor.EXTERNAL:
            data = _external(path, tensor, MOST_MODEL - fetched)
            tensor.raw_data, tensor.data_location = data, tensor.DEFAULT
            del tensor.external_data[:]
            fetched += len(data)
    return fetched


def _constants(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (attr.t for attr in node.attribute if attr.HasField("t"))


def _external(path: Path, tensor: onnx.TensorProto, most: int) -> bytes:
    """The bytes of a constant in a file of the model's folder, or of one in it."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    where = f"{path}: constant {tensor.name[:60]!r}"
    file = _beside(path, said.get("location", ""), where)
    with open_file(file, MOST_MODEL) as opened:
        size = os.fstat(opened.fileno()).st_size
        offset = _whole(said.get("offset", "0"), where)
        length = _whole(said.get("length", str(max(size - offset, 0))), where)
        if offset + length > size:
            raise BadInput(f"{where}: bytes {offset} to {offset + length} of {file}, which has "
                           f"{size}")
        if length > most:
            raise BadInput(f"{where}: constants of more than {MOST_MODEL} bytes in other files")
        opened.seek(offset)
        return opened.read(length)


def _beside(path: Path, location: str, where: str) -> Path:
    """A file that lies in the model's folder, links followed; anything else is refused."""
    plain = location and not any(
        part == ".." or PureWindowsPath(location).anchor for part in PurePosixPath(location).parts)
    file, folder = path.parent / location, os.path.realpath(path.parent)
    if not plain or "\0" in location or os.path.isabs(location) or os.path.commonpath(
            (folder, os.path.realpath(file))) != folder:
        raise BadInput(f"{where} is in the file {location[:60]!r}, expected one in the model's "
                       "folder")
    return file


def _whole(text: str, where: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise BadInput(f"{where}: its place in a file is {text[:60]!r}, expected a whole number")
    return int(text)
