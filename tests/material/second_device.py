"""A device beside the CPU, for machines without a GPU: it refuses what a GPU does.

    python second_device.py SCRIPT [OPTIONS] --device npu

runs a script where torch has a device "npu", in name alone. Its tensors hold
their values in the CPU's memory and are computed there, but as on a GPU no
operation takes tensors of both devices, other than a copy or a single number.

Authors
 * The MLKD team 2026
"""

import contextlib
import runpy
import sys

import torch
from torch.utils import (
    _pytree as pytree,
    backend_registration,
)

NAME = "npu"  # what a device that torch itself does not know may be called
COPIES = ("aten::copy_", "aten::_to_copy")


class SecondTensor(torch.Tensor):
    """A tensor of the device; ``held`` is the CPU's with its values."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, held):
        self.held = held

    def untyped_storage(self):
        return self.held.untyped_storage()

    def tolist(self):
        return self.held.tolist()

    def __reduce_ex__(self, protocol):
        return self.held.__reduce_ex__(protocol)  # a file has the values alone

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, *args, **(kwargs or {}))


def compute(operation, *args, **kwargs):
    """Any operation of torch, on tensors of one device."""
    given = [
        leaf
        for leaf in pytree.tree_leaves((args, kwargs))
        if isinstance(leaf, torch.Tensor)
    ]
    second = [tensor for tensor in given if isinstance(tensor, SecondTensor)]
    name = operation._schema.name
    others = [
        tensor for tensor in given if not isinstance(tensor, SecondTensor)
    ]
    if torch.Tag.pointwise in operation.tags:
        others = [tensor for tensor in others if tensor.dim()]  # no numbers
    if second and others and name not in COPIES:
        raise RuntimeError(f"{name} takes tensors of one device, found two")
    asked = kwargs.get("device")
    stays = bool(second) if asked is None else torch.device(asked).type == NAME
    given, options = pytree.tree_map(_on_cpu, (args, kwargs))
    # in-place operations give back the tensor that they were given
    same = {id(tensor.held): tensor for tensor in second}

    def placed(value):
        if not stays or not isinstance(value, torch.Tensor):
            return value
        if id(value) in same:
            return same[id(value)]
        return SecondTensor(value)

    return pytree.tree_map(placed, operation(*given, **options))


def _on_cpu(value):
    if isinstance(value, SecondTensor):
        return value.held
    return torch.device("cpu") if isinstance(value, torch.device) else value


class Module:
    """What torch asks a device for."""

    is_available = is_initialized = staticmethod(lambda: True)
    _is_in_bad_fork = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: 0)
    manual_seed_all = staticmethod(lambda seed: None)
    device = contextlib.nullcontext
    get_amp_supported_dtype = staticmethod(lambda: [torch.bfloat16])


def install():
    """Give torch the device, for as long as what is returned lives."""
    backend_registration._setup_privateuseone_for_python_backend(
        NAME, backend_module=Module
    )
    library = torch.library.Library("_", "IMPL")
    library.fallback(compute, "PrivateUse1")
    return library


def placing(load):
    """``torch.load`` with the device among its places."""

    def load_and_place(*args, map_location=None, **kwargs):
        loaded = load(*args, map_location="cpu", **kwargs)
        if map_location is None or torch.device(map_location).type != NAME:
            return loaded
        return pytree.tree_map_only(
            torch.Tensor, lambda tensor: tensor.to(NAME), loaded
        )

    return load_and_place


if __name__ == "__main__":
    library = install()
    torch.load = placing(torch.load)
    sys.argv = sys.argv[1:]
    sys.path[0] = ""
    runpy.run_path(sys.argv[0], run_name="__main__")
