"""Small ONNX files with the inputs and outputs of the real models, made when a test wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Constant = npt.NDArray[np.float32]


def _file(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], metadata: dict[str, str] | None = None
) -> bytes:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph(nodes, "tiny", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _value(name: str, shape: list[int | str | None]) -> Any:
    onnx = pytest.importorskip("onnx")
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return pytest.importorskip("onnx").helper.make_node(kind, inputs, outputs, **attributes)


def _constant(name: str, value: Constant) -> Any:
    tensor = pytest.importorskip("onnx").numpy_helper.from_array(value, name)
    return _node("Constant", [], [name], value=tensor)


def mean_colours(
    size: list[int | str | None], input_name: str = "input", output_name: str = "output"
) -> bytes:
    """A picture's mean per channel, N × 3: an embedder of colours."""
    nodes = [
        _node("ReduceMean", [input_name], ["pooled"], axes=[2, 3], keepdims=0),
        _node("Identity", ["pooled"], [output_name]),
    ]
    return _file(nodes, [_value(input_name, ["batch", 3, *size])], [_value(output_name, ["batch", 3])])


def distances() -> bytes:
    """The mean absolute difference of each two rows, N × N: in the place of CCIP's metric."""
    nodes = [
        _constant("one", np.array([1], np.int64)),  # type: ignore[arg-type]
        _constant("zero", np.array([0], np.int64)),  # type: ignore[arg-type]
        _node("Unsqueeze", ["input", "one"], ["rows"]),
        _node("Unsqueeze", ["input", "zero"], ["columns"]),
        _node("Sub", ["rows", "columns"], ["apart"]),
        _node("Abs", ["apart"], ["positive"]),
        _node("ReduceMean", ["positive"], ["output"], axes=[2], keepdims=0),
    ]
    return _file(nodes, [_value("input", ["n", 3])], [_value("output", ["n", "m"])])


def yolo_of(candidates: Constant, side: int) -> bytes:
    """A YOLO that finds the same candidates (N × 5) in every picture."""
    nodes = [_constant("output0", np.ascontiguousarray(candidates.T[None]))]
    inputs = [_value("images", [1, 3, side, side])]
    metadata = {"imgsz": f"[{side}, {side}]", "names": "{0: 'face'}"}
    return _file(nodes, inputs, [_value("output0", [1, 5, len(candidates)])], metadata)


def scrfd_of(boxes: list[tuple[int, int, float]]) -> bytes:
    """An SCRFD at 640 × 640 that finds faces of 64 × 64 at these (column, row) of a grid of eight."""
    outputs, nodes, values = [], [], []
    tensors: dict[str, list[Constant]] = {"score": [], "box": [], "points": []}
    for stride in (8, 16, 32):
        count = 2 * (640 // stride) ** 2
        scores, sides = np.zeros((count, 1), np.float32), np.full((count, 4), 4, np.float32)
        points = np.tile(np.array([-1, -1, 1, -1, 0, 0, -1, 1, 1, 1], np.float32), (count, 1))
        if stride == 8:
            for column, row, score in boxes:
                scores[2 * (row * 80 + column)] = score
        for kind, value in (("score", scores), ("box", sides), ("points", points)):
            tensors[kind].append(value)
    for kind, found in tensors.items():
        for level, value in enumerate(found):
            name = f"{kind}{level}"
            nodes.append(_constant(name, value))
            outputs.append(name)
            values.append(_value(name, list(value.shape)))
    return _file(nodes, [_value("input.1", [1, 3, "height", "width"])], values)
