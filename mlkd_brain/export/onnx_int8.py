"""An ONNX graph with the matrix products of its transformer in 8 bits.

Weights have one scale a column, activations one a tensor, computed from the
tensor when the graph runs (dynamic quantisation): no calibration data are
needed. The graph is for one utterance at a time, see ``onnx_loop``.

The conv encoder is computed in float32: between silence and a shout its frames
differ by a factor of a thousand, and one scale for all of them changed one
class in fifteen on EmoDB.

Authors
 * The MLKD team 2026
"""

import pathlib

import numpy as np
import onnx
from mlkd_brain.export.onnx_graph import quiet_exporter
from mlkd_brain.export.onnx_loop import one_by_one
from mlkd_brain.export.onnx_weights import drop_unused, quantise_weight
from onnx import TensorProto, helper, numpy_helper

CONVS = "feature_extractor."  # in the names of the conv encoder's weights
FEWEST_ROWS = 32  # a product over fewer values gains nothing


def write_int8_graph(
    float_path: str | pathlib.Path, path: str | pathlib.Path
) -> None:
    """Write the 8-bit form of a graph.

    An utterance has the same logits in any batch: a scale over a batch would
    make its utterances depend on one another, so they are computed in a loop.

    Arguments
    ---------
    float_path : str or pathlib.Path
        What ``mlkd_brain.export.onnx_graph.write_float_graph`` wrote.
    path : str or pathlib.Path
        Where the new graph goes.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(float_path)
    weights = {w.name: w for w in model.graph.initializer}
    with quiet_exporter():
        quantize_dynamic(
            model,
            path,
            per_channel=True,
            # 7 bits of a weight: CPUs older than AVX-512 VNNI add two products
            # of bytes in 16 bits, so the sums are the same integers everywhere
            reduce_range=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=[
                node.name
                for node in model.graph.node
                if _is_product(node, weights)
            ],
        )
    model = onnx.load(path)
    _shrink(model.graph)
    onnx.save(one_by_one(model), path)


def _is_product(node, weights):
    if node.op_type != "MatMul" or node.input[1] not in weights:
        return False
    weight = weights[node.input[1]]
    large = len(weight.dims) == 2 and weight.dims[0] >= FEWEST_ROWS
    return large and CONVS not in weight.name


# onnxruntime leaves the convs' weights in float32: base size has 79 MB instead of
# 56 MB at the same speed and error. With DequantizeLinear it would compute them
# in 8 bits; Cast and Mul it folds into float weights when it loads the graph.
def _shrink(graph):
    """Store the weights of convs in fewer bytes; they are computed in float."""
    weights = {w.name: w for w in graph.initializer}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        weight = weights.get(node.input[1]) if len(node.input) > 1 else None
        if weight is not None and node.op_type == "Conv":
            array = numpy_helper.to_array(weight)
            node.input[1] = _stored(graph, weight, *quantise_weight(array, 0))
        elif weight is not None and node.op_type == "MatMul":
            if CONVS in weight.name:
                half = numpy_helper.to_array(weight).astype(np.float16)
                node.input[1] = _stored(graph, weight, half)
        graph.node.append(node)
    drop_unused(graph)


def _stored(graph, weight, values, scale=None):
    """Add the nodes that restore a weight; returns the name of the result."""
    names = [f"{weight.name}_{part}" for part in ("small", "cast", "scale")]
    graph.initializer.append(numpy_helper.from_array(values, names[0]))
    cast = helper.make_node("Cast", names[:1], [names[1]], to=TensorProto.FLOAT)
    graph.node.append(cast)
    if scale is None:
        return names[1]
    graph.initializer.append(numpy_helper.from_array(scale, names[2]))
    out = f"{weight.name}_float"
    graph.node.append(helper.make_node("Mul", names[1:], [out]))
    return out
