"""Functional ReLUs of a module computed by an activation module instead."""

from torch import nn
from torch.overrides import TorchFunctionMode

from kwta.networks.relu_calls import IN_PLACE, RELUS

MARK = "_relu_is_kwta"


class Replaced(TorchFunctionMode):
    """While active, and in this thread only, ReLU functions are computed by `activation`, in place where they were."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func not in RELUS:
            return func(*args, **kwargs)
        y = args[0] if args else kwargs["input"]
        in_place = func in IN_PLACE or kwargs.get("inplace", len(args) > 1 and args[1])
        return y.copy_(self.activation(y)) if in_place else self.activation(y)


def is_rewired(module: nn.Module) -> bool:
    """Whether `rewire` has been here."""
    return getattr(type(module), MARK, False)


def rewire(module: nn.Module, activation: nn.Module) -> None:
    """Make `activation` a child of the module, called `kwta`, that computes every ReLU function of its forward.

    The module's class becomes a subclass of itself, so all else of it stays: state, methods, isinstance, copying.
    """
    name = "kwta"
    while hasattr(module, name):
        name += "_"
    module.add_module(name, activation)
    cls = type(module)

    def forward(self: nn.Module, *args, **kwargs):
        with Replaced(self.get_submodule(name)):
            return cls.forward(self, *args, **kwargs)

    copied = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    module.__class__ = type(cls.__name__, (cls,), {"forward": forward, MARK: True, **copied})
