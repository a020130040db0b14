"""An ONNX graph that takes the utterances of a batch one by one.

Authors
 * The MLKD team 2026
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

# names inside the loop must differ from those outside
INSIDE = {"wavs": "wav", "lengths": "length", "logits": "row"}


def one_by_one(model):
    """The graph in a loop over the batch, each utterance cut to its length.

    Whatever the graph computes, an utterance has the answer that it has alone,
    bit by bit.

    Arguments
    ---------
    model : onnx.ModelProto
        Inputs ``wavs`` (batch, time) and ``lengths`` (batch,), output
        ``logits`` (batch, classes). Taken apart.

    Returns
    -------
    onnx.ModelProto
        With the same inputs and outputs.
    """
    graph = model.graph
    trips = [
        helper.make_node("Size", ["lengths"], ["count"]),
        helper.make_node("Loop", ["count", ""], ["logits"], body=_body(graph)),
    ]
    loop = helper.make_graph(trips, "utterances", graph.input, graph.output)
    return helper.make_model(
        loop, opset_imports=model.opset_import, ir_version=model.ir_version
    )


def _body(graph):
    """What happens to utterance ``i``."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = INSIDE.get(name, name)
    make = helper.make_node
    cut = [
        make("Unsqueeze", ["i", "first"], ["place"]),
        make("Gather", ["lengths", "place"], ["length"]),
        make("Gather", ["wavs", "place"], ["padded"]),
        make("Slice", ["padded", "first", "length", "second"], ["wav"]),
    ]
    give = [
        make("Squeeze", ["row", "first"], ["one"]),
        make("Identity", ["go"], ["go_on"]),
    ]
    numbers = [
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in (("first", 0), ("second", 1))
    ]
    return helper.make_graph(
        [*cut, *graph.node, *give],
        "utterance",
        [_value("i", TensorProto.INT64), _value("go", TensorProto.BOOL)],
        [
            _value("go_on", TensorProto.BOOL),
            _value("one", TensorProto.FLOAT, ["classes"]),
        ],
        [*graph.initializer, *numbers],
    )


def _value(name, kind, shape=()):
    return helper.make_tensor_value_info(name, kind, shape)
