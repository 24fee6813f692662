"""A network on a slice as a short list of matrices: y¹ = W¹ t + b¹, then y = W φ(y) + b from layer to layer.

The slice is folded into the first layer: its columns (origin and directions) are pushed through the modules before the
first activation, so large inputs and wide first convolutions cost three columns. What lies between two activations is
one matrix. All arithmetic is float64, whatever the network's own precision.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from kwta.activation import KWTA
from kwta.networks.residual import Residual
from kwta.regions.columns import Columns, keeps_forward, of_slice, parted
from kwta.slices import Slice


@dataclass(frozen=True, eq=False)
class Layer:
    """A hidden layer: y = weight · z + bias with z the layer before (t for the first), then φ.

    k: the number of winners of k-WTA, 0 for ReLU. name: of the activation module in the network. passed: the last rows
    of y are no units; they go on beside φ as they are, for they belong to the shortcut of a residual sum.
    """

    weight: Float[ndarray, "rows m"]
    bias: Float[ndarray, "rows"]
    k: int
    name: str
    passed: int = 0

    @property
    def n(self) -> int:
        """The number of units."""
        return len(self.bias) - self.passed


@dataclass(frozen=True, eq=False)
class Stages:
    """f(s(t)): the hidden layers in order, and the affine output f = weight · z + bias."""

    hidden: tuple[Layer, ...]
    weight: Float[ndarray, "outputs m"]
    bias: Float[ndarray, "outputs"]

    @property
    def sizes(self) -> tuple[int, ...]:
        """n of each hidden layer."""
        return tuple(layer.n for layer in self.hidden)

    @property
    def winners(self) -> tuple[int, ...]:
        """k of each hidden layer, 0 for ReLU."""
        return tuple(layer.k for layer in self.hidden)


def stages(net: nn.Module, plane: Slice, input_shape: tuple[int, ...] | None = None) -> Stages:
    """The network restricted to the slice: f(s(t)) as matrices and activations, t in the slice's coordinates.

    net: an nn.Sequential, nested or not, of affine modules (Linear, Conv, BatchNorm, average pooling, Flatten, padding)
    and residual blocks (`networks.residual.Residual`), and of activations (KWTA, ReLU). Batch norm always uses its
    running statistics, as in evaluation mode.
    input_shape: of one example; by default that of `net.spec`, else the slice's points stay flat vectors.

    Raises ValueError, naming the module: where it is neither affine nor an activation (max pooling, softmax), is random
    (dropout in training mode), holds NaN or infinite weights, or would need a matrix of more than 2²⁴ entries.
    """
    fold = _Fold([], [])
    with torch.no_grad():
        outputs = fold.through(net, "", of_slice(plane, _input_shape(net, len(plane.origin), input_shape)))
    return Stages(tuple(fold.layers), *outputs.matrix("the output"))


@dataclass
class _Fold:
    """The layers found so far, and the affine maps that go on beside the way at hand: the shortcuts around it."""

    layers: list[Layer]
    beside: list[Columns]

    def through(self, module: nn.Module, name: str, columns: Columns) -> Columns:
        """What the module makes of the columns; activations in it become layers."""
        if type(module) is nn.Linear:  # the usual case, before all questions
            return columns.through(module, name or "Linear")
        if keeps_forward(module, (nn.Sequential,)):
            for child_name, child in module._modules.items():  # named_children would skip one that occurs twice
                if child is not None:
                    columns = self.through(child, f"{name}.{child_name}" if name else child_name, columns)
            return columns
        name = name or type(module).__name__
        if isinstance(module, Residual) and keeps_forward(module, (Residual,)):
            return self._through_both(module, name, columns)
        if keeps_forward(module, (KWTA, nn.ReLU)):
            return self._activated(module, name, columns)
        return columns.through(module, name)

    def _through_both(self, block: Residual, name: str, columns: Columns) -> Columns:
        """One way with the block's input beside it, then the other way beside the one.

        The shortcut first, as its end may be smaller than its beginning; but activations keep their order in a call.
        """
        ways = [("body", block.body), ("shortcut", block.shortcut)]
        if not any(isinstance(module, KWTA | nn.ReLU) for module in block.shortcut.modules()):
            ways.reverse()
        (way, first), (other_way, second) = ways
        self.beside.append(columns)
        end = self.through(first, f"{name}.{way}", columns)
        columns, self.beside[-1] = self.beside[-1], end
        other_end = self.through(second, f"{name}.{other_way}", columns)
        return other_end.plus(self.beside.pop(), name)

    def _activated(self, module: nn.Module, name: str, columns: Columns) -> Columns:
        """The columns end in a layer, and begin anew as the identity of what it gives."""
        ways = [columns, *self.beside]
        matrices = [way.matrix(name) for way in ways]
        weight, bias = (np.concatenate(parts) if self.beside else parts[0] for parts in zip(*matrices, strict=True))
        n = len(matrices[0][1])
        self.layers.append(Layer(weight, bias, _winners(module, columns.shape, name), name, len(bias) - n))
        columns, *self.beside = parted([way.shape for way in ways], name)
        return columns


def _input_shape(net: nn.Module, size: int, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    known: tuple[int, ...] = shape or getattr(getattr(net, "spec", None), "input_shape", (size,))
    if prod(known) != size:
        raise ValueError(f"slices through points of {size} entries do not fit the network's input shape {known}")
    return known


def _winners(module: nn.Module, shape: tuple[int, ...], name: str) -> int:
    """k of an activation on vectors of this shape, 0 for ReLU."""
    if not isinstance(module, KWTA):
        return 0
    if module.dims is not None and module.dims != len(shape):
        raise ValueError(
            f"{name}: k-WTA over the last {module.dims} of the dimensions {shape} has several winner sets per layer; "
            "regions are supported where the whole layer is one vector"
        )
    return module.winners(prod(shape))
