"""An ONNX graph with its matrix products in 8 bits.

Weights have one scale a column, activations one a tensor, taken from the tensor
itself when it is there (dynamic quantisation): no calibration data are needed.
The graph is for one utterance at a time, see ``mlkd_brain.export.onnx_loop``.

The conv encoder stays in float32, stored in half precision: between silence and
a shout its frames differ by a factor of a thousand, and one scale for all of
them changed one class in fifteen on EmoDB.

Weights use 7 bits of their 8: CPUs older than AVX-512 VNNI add two products of
an unsigned and a signed byte in 16 bits, which 255 * 64 * 2 just fits. So the
sums are the same integers everywhere.

Authors
 * The MLKD team 2026
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mlkd_brain.export.onnx_loop import one_by_one
from mlkd_brain.export.onnx_weights import drop_unused, quantise_weight

CONVS = "feature_extractor."  # in the names of the conv encoder's weights
FEWEST_ROWS = 32  # a product over fewer values gains nothing
LARGEST = 64  # of a weight as a byte, in a product
ZERO = "weight_zero_point"


class Int8Graph:
    """Rewrites a float graph of ``mlkd_brain.export.onnx_graph``, in place.

    Arguments
    ---------
    graph : onnx.GraphProto
        In float32.
    """

    def __init__(self, graph):
        self.graph = graph
        self.weights = {w.name: w for w in graph.initializer}
        self.quantised = {}  # float tensor: names of its bytes, scale and zero

    def rewrite(self):
        """Replace products and stored weights."""
        nodes = list(self.graph.node)
        del self.graph.node[:]
        self._store(ZERO, np.array(0, np.int8))
        for node in nodes:
            if self._is_product(node):
                self._product(node)
            else:
                self._shrink(node)
                self.graph.node.append(node)
        drop_unused(self.graph)

    def _is_product(self, node):
        if node.op_type != "MatMul" or node.input[1] not in self.weights:
            return False
        weight = self.weights[node.input[1]]
        large = len(weight.dims) == 2 and weight.dims[0] >= FEWEST_ROWS
        return large and CONVS not in weight.name

    def _product(self, node):
        """``x @ w`` is ``x_scale * w_scale * (x_bytes @ w_bytes)``."""
        tensor, name = node.input
        values, x_scale, x_zero = self._bytes(tensor)
        weight = numpy_helper.to_array(self.weights[name])
        w_bytes, w_scale = quantise_weight(weight, axis=1, largest=LARGEST)
        w_bytes = self._store(f"{name}_bytes", w_bytes)
        w_scale = self._store(f"{name}_scale", w_scale.reshape(-1))
        total = self._add("MatMulInteger", values, w_bytes, x_zero, ZERO)
        real = self._add("Cast", total, to=TensorProto.FLOAT)
        scale = self._add("Mul", x_scale, w_scale)
        self._add("Mul", real, scale, out=node.output[0])

    def _bytes(self, name):
        """Names of a tensor's bytes, of their scale and of their zero point."""
        if name not in self.quantised:
            outputs = [f"{name}_{s}" for s in ("bytes", "scale", "zero")]
            self.graph.node.append(
                helper.make_node("DynamicQuantizeLinear", [name], outputs)
            )
            self.quantised[name] = outputs
        return self.quantised[name]

    def _shrink(self, node):
        """Store large float weights in fewer bytes; computing stays float."""
        if node.op_type == "Conv":
            node.input[1] = self._stored_in_bytes(node.input[1])
        elif node.op_type == "MatMul" and CONVS in node.input[1]:
            node.input[1] = self._stored_in_half(node.input[1])

    # a runtime folds what follows into one float tensor when it loads the graph

    def _stored_in_bytes(self, name):
        weight = numpy_helper.to_array(self.weights[name])
        values, scale = quantise_weight(weight, axis=0)
        values = self._store(f"{name}_bytes", values)
        real = self._add("Cast", values, to=TensorProto.FLOAT)
        return self._add("Mul", real, self._store(f"{name}_scale", scale))

    def _stored_in_half(self, name):
        half = numpy_helper.to_array(self.weights[name]).astype(np.float16)
        return self._add(
            "Cast", self._store(f"{name}_half", half), to=TensorProto.FLOAT
        )

    def _store(self, name, array):
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _add(self, kind, *inputs, out=None, **attributes):
        out = out or f"int8_{len(self.graph.node)}"
        self.graph.node.append(
            helper.make_node(kind, inputs, [out], **attributes)
        )
        return out


def write_int8_graph(float_path, path):
    """Write the 8-bit form of a graph.

    An utterance has one answer in any batch: a scale over a batch would let its
    utterances into one another, so the graph takes them one by one.

    Arguments
    ---------
    float_path : str or pathlib.Path
        What ``mlkd_brain.export.onnx_graph.write_float_graph`` wrote.
    path : str or pathlib.Path
        Where the new graph goes.
    """
    model = onnx.load(float_path)
    Int8Graph(model.graph).rewrite()
    onnx.save(one_by_one(model), path)
