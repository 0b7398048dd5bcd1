"""Rewrites face_recognition's network, from dlib's own file format into ONNX; numpy only, 50 ms, nothing is stored.

dlib's format, as version 20 writes it and the installed file has it (dlib has no reader in Python for it):

- Whole number: a byte whose low four bits count the bytes of the magnitude that follow (1 to 8, little-endian); 0x80
  in it means negative. Float: mantissa and exponent as two of them, value = mantissa * 2 ** exponent. Flag: one byte,
  "0" or "1". Text: its length, then bytes. Tensor: 2, four sizes, raw little-endian float32. Alias: 1, four sizes.
- File: 1; "loss_metric_2" with two floats; the versions of all layers, output first: 2 a layer that computes, 1 a mark
  without content, 3 the last one. Then the input ("input_rgb_image_sized", three means, 150, 150), and each layer that
  computes, now input first: its details (see _read_layer), three flags, three tensors of training (empty).

The graph is a ResNet of 29 convolutions. Each convolution is joined with the scale and shift after it, and the first
one with x = (pixel - mean) / 256, so that the model takes raw RGB, 0 to 255. Where a block shrinks, dlib adds layers of
unequal size as if the smaller one ended in zeros: those become Pad nodes.

OpenCV computes eight channels at a time, of which a picture fills three. So the first convolution, 7 x 7 in steps of
two, is written as the same sum over the 12 channels of squares_of(), 4 x 4 in steps of one: half its time, and an
eighth of the whole network's (measured on two threads: 8.0 to 7.2 ms).
"""

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
CHIP = 150
"""Side of the aligned face that the network takes, px."""
INPUT = (1, 12, CHIP // 2, CHIP // 2)
"""Shape of the model's input, see squares_of()."""


class ForeignNetwork(ValueError):
    """The file is cut, altered, or not a network of face_recognition's kind; ``str()`` says what was met."""


def onnx_of(data: bytes) -> bytes:
    """Return the ONNX model of a network file: squares_of() a chip to (1, 128) float32; raises ForeignNetwork."""
    try:
        return _onnx(_read_network(data))
    except ForeignNetwork:
        raise
    except (ValueError, ArithmeticError, IndexError) as error:
        raise ForeignNetwork(f"its layers do not fit together ({type(error).__name__})") from None


def squares_of(chip: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
    """Write a (150, 150, 3) uint8 RGB chip ``into`` the model's input, (1, 12, 75, 75) float32.

    The channels are the four pixels of each 2 x 2 square, row by row, of each the three colours.
    """
    squares = chip.reshape(INPUT[2], 2, INPUT[3], 2, 3)
    into.reshape(2, 2, 3, *INPUT[2:])[:] = squares.transpose(1, 3, 4, 0, 2)


# ---- dlib's file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layer:
    kind: str
    numbers: tuple[int, ...] = ()
    params: Weights = field(default_factory=lambda: np.zeros(0, np.float32))


class _Reader:
    """Reads dlib's serialisation: numbers of variable length, floats as mantissa and exponent."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if count < 0 or len(taken) != count:
            raise ForeignNetwork("the network file ends too early")
        self._at += count
        return taken

    def integer(self) -> int:
        control = self.take(1)[0]
        if not 1 <= control & 0x7F <= 8:
            raise ForeignNetwork("a number of the network file has an impossible length")
        value = int.from_bytes(self.take(control & 15), "little")
        return -value if control & 0x80 else value

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def number(self) -> float:
        mantissa, exponent = self.integers(2)
        return mantissa * 2.0**exponent

    def text(self) -> str:
        return self.take(self.integer()).decode("ascii")

    def tensor(self) -> Weights:
        version, *shape = self.integers(5)
        if version != 2:
            raise ForeignNetwork(f"tensor version {version} is not known")
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32)

    def alias(self) -> None:
        if self.integer() != 1:
            raise ForeignNetwork("an alias of another version")
        self.integers(4)

    def at_end(self) -> bool:
        return self._at == len(self._data)


def _read_network(data: bytes) -> list[_Layer]:
    """Return the layers from input to output; raises ForeignNetwork for anything but face_recognition's network."""
    read = _Reader(data)
    if read.integer() != 1 or read.text() != "loss_metric_2":
        raise ForeignNetwork("not a metric network")
    read.number()
    read.number()
    versions = [read.integer()]
    while versions[-1] != 3:
        versions.append(read.integer())
    if not set(versions) <= {1, 2, 3}:
        raise ForeignNetwork("a layer of another version")
    if read.text() != "input_rgb_image_sized":
        raise ForeignNetwork("not a network for pictures")
    means = [read.number() for _ in range(3)]
    if read.integers(2) != (CHIP, CHIP):
        raise ForeignNetwork("not a network for 150 px chips")
    count = sum(version != 1 for version in versions)
    layers = [_Layer("input", params=np.array(means, np.float32))]
    for number in range(count):
        layers.append(_read_layer(read))
        read.take(3)  # three flags
        for _ in range(3):  # state of training, empty here
            read.tensor()
        if number == 0:
            read.integer()
    if not read.at_end():
        raise ForeignNetwork("the network file has more than the network")
    if _shape_of(layers) != _FACE_RECOGNITION:
        raise ForeignNetwork("a network of another shape")
    if not all(np.isfinite(layer.params).all() for layer in layers):
        raise ForeignNetwork("a weight is not a number")
    return layers


_FACE_RECOGNITION = "21e00a0aca5e64b4"
"""_shape_of() face_recognition's network: weights may differ, what they mean may not."""


def _shape_of(layers: list[_Layer]) -> str:
    """Return a short hash of the kinds, sizes and steps of all layers."""
    kinds = repr([(layer.kind, layer.numbers, len(layer.params)) for layer in layers])
    return hashlib.sha256(kinds.encode()).hexdigest()[:16]


def _read_layer(read: _Reader) -> _Layer:
    kind = read.text()
    match kind:
        case "con_4":
            params, numbers = read.tensor(), read.integers(7)
            read.alias()
            read.alias()
            for _ in range(4):
                read.number()
            return _Layer(kind, numbers, params)
        case "affine_":
            params = read.tensor()
            read.alias()
            read.alias()
            return _Layer(kind, read.integers(1), params)
        case "max_pool_2" | "avg_pool_2":
            return _Layer(kind, read.integers(6))
        case "relu_" | "add_prev_":
            return _Layer(kind)
        case "fc_2":
            numbers, params = read.integers(2), read.tensor()
            read.alias()
            read.alias()
            read.integer()
            for _ in range(4):
                read.number()
            return _Layer(kind, numbers, params)
    raise ForeignNetwork(f"layer {kind} is not known")


# ---- ONNX --------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return one field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


class _Graph:
    """Collects nodes and weights; knows the shape (channels, height, width) of what was computed last."""

    def __init__(self) -> None:
        self.nodes = bytearray()
        self.weights = bytearray()
        self.count = 0

    def weight(self, values: NDArray[Any]) -> str:
        self.count += 1
        name = f"w{self.count}"
        tensor = b"".join(_field(1, size) for size in values.shape)
        tensor += (
            _field(2, 7 if values.dtype == np.int64 else 1) + _field(8, name) + _field(9, values.tobytes())
        )
        self.weights += _field(5, tensor)
        return name

    def node(self, kind: str, *inputs: str, **attributes: list[int]) -> str:
        self.count += 1
        name = f"n{self.count}"
        body = (
            b"".join(_field(1, source) for source in inputs)
            + _field(2, name)
            + _field(3, name)
            + _field(4, kind)
        )
        for key, numbers in attributes.items():
            packed = b"".join(_field(8, number) for number in numbers)
            body += _field(5, _field(1, key) + packed + _field(20, 7))
        self.nodes += _field(1, body)
        return name

    def model(self, output: str) -> bytes:
        def value(name: str, shape: list[int]) -> bytes:
            dims = b"".join(_field(1, _field(1, size)) for size in shape)
            return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))

        graph = bytes(self.nodes) + _field(2, "face") + bytes(self.weights)
        graph += _field(11, value("chip", list(INPUT))) + _field(12, value(output, [1, 128]))
        return _field(1, 8) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph)


Shape = tuple[int, int, int]


def _onnx(layers: list[_Layer]) -> bytes:
    """Return the network as an ONNX model that takes raw RGB, 0 to 255."""
    graph = _Graph()
    means = layers[0].params
    at, shape = "chip", (3, CHIP, CHIP)
    entry, entry_shape = at, shape  # what went into the current block
    todo = layers[1:]
    starts_block = False
    while todo:
        layer = todo.pop(0)
        match layer.kind:
            case "con_4":
                if starts_block:
                    entry, entry_shape, starts_block = at, shape, False
                affine = todo.pop(0)
                weights, biases = _fused(layer, affine, shape[0])
                window = layer.numbers[1:]
                if at == "chip":
                    biases = biases - (weights * means[None, :, None, None] / 256).sum(axis=(1, 2, 3))
                    weights, window, shape = _on_squares(weights / 256), (4, 4, 1, 1, 0, 0), INPUT[1:]
                rows, columns, sy, sx, py, px = window
                at = graph.node(
                    "Conv",
                    at,
                    graph.weight(weights.astype(np.float32)),
                    graph.weight(biases.astype(np.float32)),
                    kernel_shape=[rows, columns],
                    strides=[sy, sx],
                    pads=[py, px, py, px],
                )
                shape = (len(weights), *_size(shape, window))
            case "relu_":
                at = graph.node("Relu", at)
            case "max_pool_2":
                rows, columns, sy, sx, py, px = layer.numbers
                at = graph.node("MaxPool", at, kernel_shape=[rows, columns], strides=[sy, sx])
                shape = (shape[0], *_size(shape, layer.numbers))
                starts_block = True
            case "avg_pool_2" if layer.numbers[0]:
                rows, columns, sy, sx, _, _ = layer.numbers
                entry = graph.node("AveragePool", entry, kernel_shape=[rows, columns], strides=[sy, sx])
                entry_shape = (entry_shape[0], *_size(entry_shape, layer.numbers))
            case "avg_pool_2":
                at = graph.node("Flatten", graph.node("GlobalAveragePool", at))
            case "add_prev_":
                both = (
                    max(shape[0], entry_shape[0]),
                    max(shape[1], entry_shape[1]),
                    max(shape[2], entry_shape[2]),
                )
                at = graph.node(
                    "Add", _padded(graph, at, shape, both), _padded(graph, entry, entry_shape, both)
                )
                shape, starts_block = both, True
            case "fc_2":
                outputs, inputs = layer.numbers
                at = graph.node("Gemm", at, graph.weight(layer.params.reshape(inputs, outputs)))
            case _:
                raise ForeignNetwork(f"layer {layer.kind} is out of place")
    return graph.model(at)


def _fused(convolution: _Layer, affine: _Layer, channels: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return weights and biases of a convolution together with the scale and shift after it."""
    filters, rows, columns = convolution.numbers[:3]
    size = filters * channels * rows * columns
    if (
        affine.kind != "affine_"
        or len(convolution.params) != size + filters
        or len(affine.params) != 2 * filters
    ):
        raise ForeignNetwork("a convolution does not fit the network")
    weights = convolution.params[:size].reshape(filters, channels, rows, columns).astype(np.float64)
    gamma, beta = affine.params[:filters].astype(np.float64), affine.params[filters:].astype(np.float64)
    return weights * gamma[:, None, None, None], convolution.params[size:] * gamma + beta


def _on_squares(weights: NDArray[Any]) -> NDArray[Any]:
    """Return the weights of the first convolution, (F, 3, 7, 7) in steps of two, for squares_of() in steps of one."""
    filters = len(weights)
    even = np.pad(weights, ((0, 0), (0, 0), (0, 1), (0, 1)))
    squares = even.reshape(filters, 3, 4, 2, 4, 2).transpose(0, 3, 5, 1, 2, 4)
    return squares.reshape(filters, 12, 4, 4)


def _size(shape: Shape, window: tuple[int, ...]) -> tuple[int, int]:
    rows, columns, sy, sx, py, px = window
    return (shape[1] + 2 * py - rows) // sy + 1, (shape[2] + 2 * px - columns) // sx + 1


def _padded(graph: _Graph, name: str, shape: Shape, wanted: Shape) -> str:
    """Fill up with zeros at the end of each axis, as dlib adds layers of unequal size."""
    if shape == wanted:
        return name
    ends = [0, *(more - less for more, less in zip(wanted, shape, strict=True))]
    return graph.node("Pad", name, graph.weight(np.array([0, 0, 0, 0, *ends], np.int64)))
