"""Does a module's own code call a ReLU function? Read off the byte code of `forward` and of what it names.

torch.fx is not used for this: while it traces, it patches nn.Module for all threads; it cannot pass branches on data;
and it sees only the branch of the current training mode.
"""

import dis
from collections.abc import Iterator
from functools import partial
from inspect import getattr_static
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAMES = frozenset({"relu", "relu_", "relu6", "ReLU", "ReLU6"})
IN_PLACE = frozenset({torch.relu_, Tensor.relu_})  # functional.relu_ is torch.relu_
RELUS = IN_PLACE | {functional.relu, functional.relu6, torch.relu, Tensor.relu}


def calls_relu(module: nn.Module) -> bool:
    """Whether the module's forward, without that of its children, names a ReLU that is not a child module.

    Followed are the methods, functions and attributes that the code names, so a ReLU behind a helper function or in an
    attribute is found. One in another file's namespace (`ops.block(x)`) or chosen at run time is not.
    """
    return _reaches(getattr_static(type(module), "forward"), module, set())


def _reaches(value: Any, module: nn.Module, seen: set[int]) -> bool:
    """Whether `value`, named by the module's code, is a ReLU or a function whose code names one."""
    value = _unwrapped(value)
    if id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(_reaches(entry, module, seen) for entry in value)
    if isinstance(value, nn.ReLU | nn.ReLU6):  # in a plain list or the like, where PyTorch does not see it
        return True
    if callable(value) and value.__hash__ is not None and value in RELUS:
        return True
    return isinstance(value, FunctionType) and any(_names_relu(c, value, module, seen) for c in _nested(value.__code__))


def _unwrapped(value: Any) -> Any:
    """The function inside partial, method, property and the like."""
    while isinstance(value, partial | staticmethod | classmethod | MethodType | property):
        inner = "func" if isinstance(value, partial) else "fget" if isinstance(value, property) else "__func__"
        value = getattr(value, inner)
    return value


def _nested(code: CodeType) -> Iterator[CodeType]:
    """The code and all code inside it: lambdas, comprehensions, local functions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _names_relu(code: CodeType, function: FunctionType, module: nn.Module, seen: set[int]) -> bool:
    places = _places(function, module)
    child = None  # the module that the attribute chain `self.a.b` has reached
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if name == "self" or (isinstance(name, tuple) and name[-1:] == ("self",)):  # newer Pythons load two at once
            child = module
            continue
        child = child._modules.get(name) if isinstance(child, nn.Module) and isinstance(name, str) else None
        if child is not None or not isinstance(name, str):
            continue
        if name in NAMES or any(name in place and _reaches(place[name], module, seen) for place in places):
            return True
    return False


def _places(function: FunctionType, module: nn.Module) -> list[dict[str, Any]]:
    """What names in the function's code may stand for: the module's attributes, methods, the globals, the closure."""
    classes = [cls for cls in type(module).__mro__ if cls not in nn.Module.__mro__]
    names = {name for cls in classes for name in vars(cls)}
    methods = {name: [vars(cls)[name] for cls in classes if name in vars(cls)] for name in names}  # super() reaches all
    closed = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = {name: _content(cell) for name, cell in closed if name != "__class__"}
    followed = {name: value for name, value in function.__globals__.items() if not _is_torch(value)}
    return [vars(module), methods, followed, closure]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty: its variable is not assigned yet
        return None


def _is_torch(value: Any) -> bool:
    """Functions of PyTorch are not followed, the ReLUs apart."""
    return isinstance(value, FunctionType) and value.__module__.startswith("torch.") and value not in RELUS
