"""An ONNX graph that takes the utterances of a batch one by one.

Authors
 * The MLKD team 2026
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# names inside the loop must differ from those outside
INSIDE = {"wavs": "wav", "lengths": "length", "logits": "row"}


# no library has it: the exporter and OpenVINO trace a batch as one tensor
def one_by_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph in a loop over the batch, each utterance cut to its length.

    An utterance has the logits that it has alone, bit by bit.

    Arguments
    ---------
    model : onnx.ModelProto
        Inputs ``wavs`` (batch, time) and ``lengths`` (batch,), output
        ``logits`` (batch, classes). Changed.

    Returns
    -------
    onnx.ModelProto
        With the same inputs and outputs.
    """
    graph = model.graph
    body = _body(graph)
    nodes = [
        helper.make_node("Size", ["lengths"], ["count"]),
        helper.make_node("Loop", ["count", ""], ["logits"], body=body),
    ]
    loop = helper.make_graph(nodes, "utterances", graph.input, graph.output)
    return helper.make_model(
        loop, opset_imports=model.opset_import, ir_version=model.ir_version
    )


def _body(graph):
    """What is computed for utterance ``i``."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [INSIDE.get(name, name) for name in names]
    make, value = helper.make_node, helper.make_tensor_value_info
    cut = [
        make("Unsqueeze", ["i", "first"], ["index"]),
        make("Gather", ["lengths", "index"], ["length"]),
        make("Gather", ["wavs", "index"], ["padded"]),
        make("Slice", ["padded", "first", "length", "second"], ["wav"]),
    ]
    end = [
        make("Squeeze", ["row", "first"], ["one"]),
        make("Identity", ["go"], ["go_on"]),
    ]
    axes = [
        numpy_helper.from_array(np.array([axis], np.int64), name)
        for name, axis in (("first", 0), ("second", 1))
    ]
    return helper.make_graph(
        [*cut, *graph.node, *end],
        "utterance",
        [value("i", TensorProto.INT64, ()), value("go", TensorProto.BOOL, ())],
        [
            value("go_on", TensorProto.BOOL, ()),
            value("one", TensorProto.FLOAT, ["classes"]),
        ],
        [*graph.initializer, *axes],
    )
