# SPDX-License-Identifier: Apache-2.0
"""One record per operator of a `Graph`: every fact about it that more than one room needs.

What an operator does stands in the rooms: its NumPy meaning in `ops`, its shape rule and its way in
from ONNX and TFLite in `importers`, its way out in `exporters`, its lowering in `lower`, its
derivative in `rate_distortion`. Each room keeps a table of functions and passes it through
`by_operator` when it is imported, which refuses a table that lacks an operator or names an unknown
one. A function may serve all operators of a kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

Entry = TypeVar("Entry")
MANY: Final = 1024  # inputs of an operator that takes any number

# The values that a fused activation clamps to; as operators, those with a record of their own.
ACTIVATIONS: Final[Mapping[str | None, tuple[float, float]]] = MappingProxyType({
    None: (-math.inf, math.inf), "relu": (0.0, math.inf), "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0)})


class Kind(StrEnum):
    """What sort of operator it is; the value says what that means."""

    LINEAR = "sums of products with constant weights (input 1), and a bias (input 2)"
    PRODUCT = "sums of products of two computed operands"
    ARITHMETIC = "two operands, either of which may be constant"
    PAIRWISE = "as ARITHMETIC, by rules of their own"
    UNARY = "one value from one value: in 8 bits a table of 256 entries"
    POOL = "one value from each window"
    REDUCTION = "one value from all along some dimensions"
    MOVE = "values get another place"
    ALIAS = "the same bytes under another shape"
    CONVERSION = "the same real values in another type or on another scale"
    RESIZE = "the same picture in another size"
    DECISION = "scores become an answer, in the same order"
    BOXES = "a detector's last step"


class Scale(Enum):
    """Where the scale of an 8-bit output comes from when a float network is quantized."""

    OWN = "from the values that the output holds"
    SAME = "inputs and output share one"
    FIXED = "TFLite prescribes it"
    NONE = "the operator is not one of a float network"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    attrs           names of a node's attributes
    inputs          least and most inputs
    tflite          TFLite's names, all of which are read and the first of which is written
    int8_version    version in which TFLite's operator learned int8
    onnx            ONNX operators that become it, alone or with others
    onnx_defaults   ONNX's attributes of the same names, with what it takes where one is left out
    fixed           scale and zero point of an int8 output, where TFLite prescribes them
    finest          least step of an 8-bit output in steps of the input, beyond which TFLite's
                    kernel refuses
    output_axis     dimension of the weights that counts output channels
    moves           outputs hold values of the inputs: nothing is computed
    reorders        it has one computed input, and each output value is one of it or a constant,
                    whatever the values are
    clamps          outputs at an end of their range pass no derivative
    folds           computed by the optimizer where its input is constant
    differentiable  has a derivative in `rate_distortion`
    trainable       has a meaning in `training`
    """

    name: str
    kind: Kind
    attrs: tuple[str, ...] = ()
    inputs: tuple[int, int] = (1, 1)
    outputs: int = 1
    tflite: tuple[str, ...] = ()
    int8_version: int = 2
    onnx: tuple[str, ...] = ()
    onnx_defaults: Mapping[str, float] = field(default_factory=dict)
    scale: Scale = Scale.OWN
    fixed: tuple[float, int] | None = None
    finest: float = 0.0
    output_axis: int | None = None
    moves: bool = False
    reorders: bool = False
    clamps: bool = False
    folds: bool = False
    differentiable: bool = True
    trainable: bool = True

    @property
    def activates(self) -> bool:
        """True where it may become the `activation` of the operator before."""
        return self.name in ACTIVATIONS

    @property
    def takes_activation(self) -> bool:
        """True where an activation may be fused into it."""
        return "activation" in self.attrs

    @property
    def is_plain(self) -> bool:
        """True where an ONNX operator with the same attributes becomes it as it stands."""
        return self.kind is Kind.UNARY and self.attrs == tuple(self.onnx_defaults)

    @property
    def is_convolution(self) -> bool:
        """True for a linear operator with windows, which may take over a padding."""
        return self.kind is Kind.LINEAR and "padding" in self.attrs


_WINDOW = ("stride", "padding", "activation")
_SAMPLING = ("align_corners", "half_pixel_centers")
_PROBABILITY = (1 / 256, -128)
_DETECTION = ("max_detections", "max_classes_per_detection", "detections_per_class", "num_classes",
              "nms_score_threshold", "nms_iou_threshold", "y_scale", "x_scale", "h_scale",
              "w_scale", "use_regular_nms")



def _mover(name: str, attrs: tuple[str, ...], *tflite: str, int8_version: int = 2,
           onnx: tuple[str, ...] = ()) -> Operator:
    """An operator that only gives the values of its input other places."""
    return Operator(name, Kind.MOVE, attrs, tflite=tflite, int8_version=int8_version, onnx=onnx,
                    scale=Scale.SAME, moves=True, reorders=True, differentiable=False,
                    trainable=False)


def _pair(name: str, tflite: str, attrs: tuple[str, ...] = (), scale: Scale = Scale.OWN,
          onnx: tuple[str, ...] = ()) -> Operator:
    """An operator of two operands."""
    return Operator(name, Kind.PAIRWISE, attrs, (2, 2), tflite=(tflite,), int8_version=1, onnx=onnx,
                    scale=scale, differentiable=False, trainable=False)


def _unary(name: str, *tflite: str, attrs: tuple[str, ...] = (), onnx: tuple[str, ...] = (),
           fixed: tuple[float, int] | None = None) -> Operator:
    """An operator of one operand whose derivative is never needed."""
    return Operator(name, Kind.UNARY, attrs, tflite=tflite, int8_version=1, onnx=onnx,
                    scale=Scale.FIXED if fixed else Scale.OWN, fixed=fixed, differentiable=False,
                    trainable=False)


def _reduction(name: str, tflite: str, *onnx: str, moves: bool = False) -> Operator:
    """An operator that leaves one value of all along some dimensions."""
    return Operator(name, Kind.REDUCTION, ("axes", "keep_dims"), tflite=(tflite,), int8_version=1,
                    onnx=onnx, scale=Scale.SAME if moves else Scale.OWN, moves=moves,
                    differentiable=False, trainable=False)


_RECORDS: Final = (
    Operator("conv2d", Kind.LINEAR, (*_WINDOW, "dilation"), (2, 3), tflite=("CONV_2D",),
             int8_version=3, onnx=("Conv", "ConvTranspose"), output_axis=0, clamps=True),
    Operator("depthwise_conv2d", Kind.LINEAR, (*_WINDOW, "dilation", "multiplier"), (2, 3),
             tflite=("DEPTHWISE_CONV_2D",), int8_version=3, onnx=("Conv",), output_axis=3,
             clamps=True),
    Operator("fully_connected", Kind.LINEAR, ("activation", "keep_dims"), (2, 3),
             tflite=("FULLY_CONNECTED",), int8_version=4, onnx=("Gemm", "MatMul"), output_axis=0,
             clamps=True),
    Operator("add", Kind.ARITHMETIC, ("activation",), (2, 2), tflite=("ADD",),
             onnx=("Add", "BatchNormalization", "HardSigmoid", "Sum"), clamps=True),
    Operator("sub", Kind.ARITHMETIC, ("activation",), (2, 2), tflite=("SUB",), onnx=("Sub",),
             clamps=True),
    Operator("mul", Kind.ARITHMETIC, ("activation",), (2, 2), tflite=("MUL",),
             onnx=("Mul", "Div", "BatchNormalization", "HardSigmoid", "Pow", "Swish",
                   "com.microsoft.QuickGelu"), clamps=True),
    _pair("div", "DIV", attrs=("activation",), onnx=("Div", "Reciprocal")),
    _pair("maximum", "MAXIMUM", scale=Scale.SAME, onnx=("Max", "Clip")),
    _pair("minimum", "MINIMUM", scale=Scale.SAME, onnx=("Min", "Clip")),
    _pair("squared_difference", "SQUARED_DIFFERENCE"),
    _pair("prelu", "PRELU", onnx=("PRelu",)),
    Operator("concat", Kind.MOVE, ("axis",), (1, MANY), tflite=("CONCATENATION",),
             onnx=("Concat",), scale=Scale.SAME, moves=True),
    Operator("average_pool", Kind.POOL, (*_WINDOW, "kernel"), tflite=("AVERAGE_POOL_2D",),
             onnx=("AveragePool",), scale=Scale.SAME),
    Operator("max_pool", Kind.POOL, (*_WINDOW, "kernel"), tflite=("MAX_POOL_2D",),
             onnx=("MaxPool",), scale=Scale.SAME, moves=True),
    Operator("mean", Kind.REDUCTION, ("axes", "keep_dims"), tflite=("MEAN",),
             onnx=("GlobalAveragePool", "ReduceMean")),
    _reduction("sum", "SUM", "ReduceSum"),
    _reduction("reduce_max", "REDUCE_MAX", "ReduceMax", "GlobalMaxPool", moves=True),
    _reduction("reduce_min", "REDUCE_MIN", "ReduceMin", moves=True),
    Operator("softmax", Kind.DECISION, ("beta",), tflite=("SOFTMAX",), onnx=("Softmax",),
             scale=Scale.FIXED, fixed=_PROBABILITY, differentiable=False, trainable=False),
    Operator("log_softmax", Kind.DECISION, tflite=("LOG_SOFTMAX",), int8_version=1,
             onnx=("LogSoftmax",),
             scale=Scale.FIXED, fixed=(1 / 16, 127), differentiable=False, trainable=False),
    Operator("l2_normalization", Kind.DECISION, tflite=("L2_NORMALIZATION",),
             onnx=("LpNormalization",),
             scale=Scale.FIXED, fixed=(1 / 128, 0), differentiable=False, trainable=False),
    Operator("batch_matmul", Kind.PRODUCT, ("adj_x", "adj_y"), (2, 2), tflite=("BATCH_MATMUL",),
             onnx=("MatMul",),
             differentiable=False, trainable=False),
    Operator("logistic", Kind.UNARY, tflite=("LOGISTIC",), onnx=("Sigmoid",), scale=Scale.FIXED,
             fixed=_PROBABILITY, differentiable=False),
    Operator("relu", Kind.UNARY, tflite=("RELU",), onnx=("Relu", "Clip"), clamps=True),
    Operator("relu6", Kind.UNARY, tflite=("RELU6",), onnx=("Clip", "HardSigmoid"), clamps=True),
    Operator("hard_swish", Kind.UNARY, tflite=("HARD_SWISH",), int8_version=1,
             onnx=("HardSwish",), finest=1 / 128, trainable=False),
    Operator("leaky_relu", Kind.UNARY, ("alpha",), tflite=("LEAKY_RELU",), onnx=("LeakyRelu",),
             onnx_defaults={"alpha": 0.01}, trainable=False),
    _unary("tanh", "TANH", onnx=("Tanh",), fixed=(1 / 128, 0)),
    _unary("elu", "ELU", onnx=("Elu",)),
    _unary("gelu", "GELU", attrs=("approximate",), onnx=("Gelu",)),
    _unary("exp", "EXP", onnx=("Exp",)),
    _unary("log", "LOG", onnx=("Log",)),
    _unary("abs", "ABS", onnx=("Abs",)),
    _unary("neg", "NEG", onnx=("Neg",)),
    _unary("sqrt", "SQRT", onnx=("Sqrt", "Pow")),
    _unary("rsqrt", "RSQRT", onnx=("Pow",)),
    _unary("relu_n1_to_1", "RELU_N1_TO_1", onnx=("Clip",)),
    _unary("relu_0_to_1", "RELU_0_TO_1", onnx=("Clip",)),
    Operator("reshape", Kind.ALIAS, tflite=("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), int8_version=1,
             onnx=("Flatten", "Reshape", "Squeeze", "Unsqueeze"), scale=Scale.SAME, moves=True,
             reorders=True, folds=True),
    Operator("pad", Kind.MOVE, ("padding",), tflite=("PAD",), onnx=("Pad",), scale=Scale.SAME,
             moves=True, reorders=True, trainable=False),
    Operator("transpose", Kind.MOVE, ("perm",), tflite=("TRANSPOSE",), onnx=("Transpose",),
             scale=Scale.SAME, moves=True, reorders=True, folds=True, differentiable=False,
             trainable=False),
    _mover("pad_with", ("padding", "value"), "PADV2", onnx=("Pad",)),
    _mover("mirror_pad", ("padding", "reflect"), "MIRROR_PAD", onnx=("Pad",)),
    _mover("slice", ("begin", "size", "stride", "dropped"), "STRIDED_SLICE", "SLICE", "SPLIT",
           "SPLIT_V", "UNPACK", onnx=("Slice", "Split")),
    _mover("tile", ("repeats",), "TILE", "BROADCAST_TO", onnx=("Tile", "Expand")),
    _mover("gather", ("axis", "indices"), "GATHER", onnx=("Gather",)),
    _mover("depth_to_space", ("block",), "DEPTH_TO_SPACE", int8_version=1,
           onnx=("DepthToSpace",)),
    _mover("space_to_depth", ("block",), "SPACE_TO_DEPTH", int8_version=1,
           onnx=("SpaceToDepth",)),
    _mover("space_to_batch", ("block", "padding"), "SPACE_TO_BATCH_ND"),
    _mover("batch_to_space", ("block", "crops"), "BATCH_TO_SPACE_ND"),
    Operator("pack", Kind.MOVE, ("axis",), (1, MANY), tflite=("PACK",), scale=Scale.SAME,
             moves=True, differentiable=False, trainable=False),
    Operator("quantize", Kind.CONVERSION, tflite=("QUANTIZE",), onnx=("QuantizeLinear",),
             scale=Scale.NONE, trainable=False),
    Operator("dequantize", Kind.CONVERSION, tflite=("DEQUANTIZE",),
             onnx=("Cast", "DequantizeLinear"), scale=Scale.NONE, folds=True,
             differentiable=False, trainable=False),
    Operator("resize_bilinear", Kind.RESIZE, _SAMPLING, tflite=("RESIZE_BILINEAR",),
             onnx=("Resize", "Upsample"),
             scale=Scale.SAME, differentiable=False, trainable=False),
    Operator("resize_nearest", Kind.RESIZE, _SAMPLING, tflite=("RESIZE_NEAREST_NEIGHBOR",),
             onnx=("Resize", "Upsample"),
             scale=Scale.SAME, moves=True, differentiable=False, trainable=False),
    Operator("argmax", Kind.DECISION, ("axis",), tflite=("ARG_MAX",),
             onnx=("ArgMax",), differentiable=False,
             trainable=False),
    Operator("argmin", Kind.DECISION, ("axis",), tflite=("ARG_MIN",), int8_version=1,
             onnx=("ArgMin",),              differentiable=False, trainable=False),
    Operator("detection_postprocess", Kind.BOXES, _DETECTION, (3, 3), 4,
             tflite=("TFLite_Detection_PostProcess",), int8_version=1, scale=Scale.NONE,
             differentiable=False, trainable=False),
)

OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType({one.name: one for one in _RECORDS})
OF_TFLITE: Final[Mapping[str, Operator]] = MappingProxyType(
    {name: one for one in _RECORDS for name in one.tflite})
_ONNX: Final = tuple(name for one in _RECORDS for name in one.onnx)
OF_ONNX: Final[Mapping[str, Operator]] = MappingProxyType(  # by names that become it as they stand
    {name: one for one in _RECORDS for name in one.onnx
     if one.is_plain and _ONNX.count(name) == 1})


def such(fits: Callable[[Operator], bool]) -> frozenset[str]:
    """The names of the operators for which `fits` is true."""
    return frozenset(one.name for one in _RECORDS if fits(one))


def of_kind(*kinds: Kind) -> frozenset[str]:
    """The names of the operators of these kinds."""
    return such(lambda one: one.kind in kinds)


LINEAR: Final = of_kind(Kind.LINEAR)
CONVOLUTIONS: Final = such(lambda one: one.is_convolution)
SAME_SCALE: Final = such(lambda one: one.scale is Scale.SAME)
REORDERS: Final = such(lambda one: one.reorders)
REARRANGES: Final = REORDERS | {"concat", "pack"}  # which have several inputs
FIXED_SCALE: Final = such(lambda one: one.scale is Scale.FIXED)


def output_axis(op: str) -> int:
    """The dimension of a linear operator's weights that counts its output channels."""
    axis = OPERATORS[op].output_axis
    assert axis is not None
    return axis


def by_operator(room: str, entries: Mapping[str, Entry],
                among: Callable[[Operator], bool] = lambda one: True) -> Mapping[str, Entry]:
    """A room's entry for every operator in `among`: its own, or the one for its kind.

    Raises RuntimeError, naming room and operator, when an operator has none and when an entry is
    for no operator of the room.
    """
    wanted = {one.name: one for one in _RECORDS if among(one)}
    unknown = [key for key in entries if not isinstance(key, Kind) and key not in wanted]
    if unknown:
        raise RuntimeError(f"{room}: got an entry for {unknown[0]!r}, expected one of "
                           f"{', '.join(wanted)}")
    return MappingProxyType({one.name: _entry(room, entries, one) for one in wanted.values()})


def _entry(room: str, entries: Mapping[str, Entry], one: Operator) -> Entry:
    for key in (one.name, one.kind):
        if key in entries:
            return entries[key]
    raise RuntimeError(f"{room}: got no entry for operator {one.name!r}, expected one for it or "
                       f"for every {one.kind.name.lower()} operator")


def by_onnx(room: str, entries: Mapping[str, Entry], plain: Entry, extra: Collection[str]
            ) -> Mapping[str, Entry]:
    """A room's entry for every ONNX operator: its own, or `plain` for those of `OF_ONNX`.

    `extra` names ONNX operators that become no operator. Raises RuntimeError as `by_operator` does.
    """
    known = {*_ONNX, *extra}
    for name in sorted(known ^ entries.keys()):
        if name not in known:
            raise RuntimeError(f"{room}: got an entry for {name!r}, expected one that a record of "
                               "network.operators names")
        if name not in OF_ONNX:
            raise RuntimeError(f"{room}: got no entry for {name!r}, expected one")
    return MappingProxyType({**dict.fromkeys(OF_ONNX, plain), **entries})


def _check_records() -> None:
    """Refuse two records of one name and two of one TFLite name."""
    names = [one.name for one in _RECORDS]
    codes = [name for one in _RECORDS for name in one.tflite]
    for each in (names, codes):
        twice = next((name for name in each if each.count(name) > 1), None)
        if twice is not None:
            raise RuntimeError(f"network.operators: got two records of {twice!r}, expected one")
    for one in _RECORDS:
        if (one.scale is Scale.FIXED) != (one.fixed is not None):
            raise RuntimeError(f"network.operators: {one.name!r} has {one.scale} and a prescribed "
                               f"scale {one.fixed}, expected both or neither")


_check_records()
