"""An ONNX graph with its weights in 8 bits.

Authors
 * The MLKD team 2026
"""

import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper

FEWEST_VALUES = 500  # smaller weights stay as they are
OUTPUT_AXIS = {"MatMul": 1, "Conv": 0}


def quantise_weight(
    weight: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """A weight as bytes, with one scale for each index of ``axis``.

    The error of each value is at most half its scale.

    Arguments
    ---------
    weight : numpy.ndarray
        Any shape, float32.
    axis : int
        Counted from 0.

    Returns
    -------
    values : numpy.ndarray
        int8 in [-127, 127], the shape of ``weight``.
    scale : numpy.ndarray
        float32, broadcastable to ``weight``; ``values * scale`` is the weight.

    Example
    -------
    >>> weight = np.array([[127.0, 0.5], [-64.0, 1.0]])
    >>> values, scale = quantise_weight(weight, axis=1)
    >>> values.tolist()
    [[127, 64], [-64, 127]]
    """
    others = tuple(i for i in range(weight.ndim) if i != axis)
    peak = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.where(peak > 0, peak / 127, 1.0).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale


# nncf.compress_weights (INT8_SYM) leaves the positional convolution in float32:
# base size has 66 MB instead of 52 MB, at the same speed and error; INT8_ASYM has
# twice the error
def write_compressed_graph(
    float_path: str | pathlib.Path, path: str | pathlib.Path
) -> None:
    """Write a graph whose weights are bytes, one scale an output channel.

    onnxruntime computes it in float. OpenVINO quantises the activations of each
    frame as well, with scales of that frame alone: frames of near silence keep
    their detail, and an utterance has the same logits in any batch.

    Arguments
    ---------
    float_path : str or pathlib.Path
        What ``mlkd_brain.export.onnx_graph.write_float_graph`` wrote.
    path : str or pathlib.Path
        Where the new graph goes.
    """
    model = onnx.load(float_path)
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        axis = OUTPUT_AXIS.get(node.op_type)
        weight = weights.get(node.input[1]) if axis is not None else None
        if weight is not None and np.prod(weight.dims) >= FEWEST_VALUES:
            node.input[1] = _compress(graph, weight, axis)
        graph.node.append(node)
    drop_unused(graph)
    onnx.save(model, path)


def _compress(graph, weight, axis):
    """Store a weight as bytes; returns the name of what restores it."""
    values, scale = quantise_weight(numpy_helper.to_array(weight), axis)
    parts = {
        "bytes": values,
        "scale": scale.reshape(-1),
        "zero": np.zeros(scale.size, np.int8),
    }
    names = [f"{weight.name}_{part}" for part in parts]
    graph.initializer.extend(
        map(numpy_helper.from_array, parts.values(), names)
    )
    out = f"{weight.name}_float"
    graph.node.append(
        helper.make_node("DequantizeLinear", names, [out], axis=axis)
    )
    return out


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove weights that no node reads, in place.

    Arguments
    ---------
    graph : onnx.GraphProto
        Without subgraphs.
    """
    used = {name for node in graph.node for name in node.input}
    weights = [w for w in graph.initializer if w.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
