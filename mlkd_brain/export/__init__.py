"""How does a trained model leave its run? Start with ``formats``.

The command is ``command``; the ONNX graphs are in ``onnx_graph`` and beside it.
"""
