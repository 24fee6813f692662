"""A network on a slice as a short list of matrices: y¹ = W¹ t + b¹, then y = W φ(y) + b from layer to layer.

The slice is folded into the first layer: its columns (origin and directions) are pushed through the modules before the
first activation, so large inputs and wide first convolutions cost three columns. What lies between two activations is
one matrix. All arithmetic is float64, whatever the network's own precision.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from kwta.activation import KWTA
from kwta.slices import Slice

MAX_ENTRIES = 2**24  # of the matrix between two activations (128 MiB): larger ones want another method
ROWS = 512  # unit vectors pushed through convolutions at a time

AFFINE = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Unflatten,
    nn.Identity,
    nn.ZeroPad2d,
)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True, eq=False)
class Layer:
    """A hidden layer: y = weight · z + bias with z the layer before (t for the first), then φ.

    k: the number of winners of k-WTA, 0 for ReLU. name: of the activation module in the network.
    """

    weight: Float[ndarray, "n m"]
    bias: Float[ndarray, "n"]
    k: int
    name: str


@dataclass(frozen=True, eq=False)
class Stages:
    """f(s(t)): the hidden layers in order, and the affine output f = weight · z + bias."""

    hidden: tuple[Layer, ...]
    weight: Float[ndarray, "outputs m"]
    bias: Float[ndarray, "outputs"]

    @property
    def sizes(self) -> tuple[int, ...]:
        """n of each hidden layer."""
        return tuple(len(layer.bias) for layer in self.hidden)

    @property
    def winners(self) -> tuple[int, ...]:
        """k of each hidden layer, 0 for ReLU."""
        return tuple(layer.k for layer in self.hidden)


def stages(net: nn.Module, plane: Slice, input_shape: tuple[int, ...] | None = None) -> Stages:
    """The network restricted to the slice: f(s(t)) as matrices and activations, t in the slice's coordinates.

    net: an nn.Sequential, nested or not, of affine modules (Linear, Conv, BatchNorm, average pooling, Flatten, padding)
    and activations (KWTA, ReLU). Batch norm always uses its running statistics, as in evaluation mode.
    input_shape: of one example; by default that of `net.spec`, else the slice's points stay flat vectors.

    Raises ValueError, naming the module: where it is neither affine nor an activation (max pooling, softmax), is random
    (dropout in training mode), holds NaN or infinite weights, or would need a matrix of more than 2²⁴ entries.
    """
    shape = _input_shape(net, len(plane.origin), input_shape)
    columns: _Columns = _of_slice(plane, shape)
    layers: list[Layer] = []
    with torch.no_grad():
        for name, module in _leaves(net, ""):
            if isinstance(module, KWTA | nn.ReLU) and _keeps_forward(module, (KWTA, nn.ReLU)):
                layers.append(Layer(*columns.matrix(name), _winners(module, columns.shape, name), name))
                columns = _Columns(None, torch.zeros(1, *columns.shape, dtype=torch.float64))
            else:
                columns = columns.through(module, name)
        return Stages(tuple(layers), *columns.matrix("the output"))


@dataclass
class _Columns:
    """An affine map in the making: the images of the unit vectors (None: not yet moved, the identity) and of zero."""

    linear: Tensor | None  # [m, *shape], the images without biases
    offset: Tensor  # [1, *shape]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.offset.shape[1:])

    def through(self, module: nn.Module, name: str) -> "_Columns":
        """The map followed by an affine module."""
        _check_module(module, name)
        if self.linear is None and isinstance(module, nn.Identity | nn.Flatten):
            return _Columns(None, module(self.offset))
        if isinstance(module, nn.Linear) and len(self.shape) == 1 and self.shape[0] == module.in_features:
            return self._through_linear(module, name)
        linear = _homogeneous(module)
        moved = torch.cat([self._moved(linear, rows, name) for rows in self._rows(name).split(ROWS)])
        return _Columns(moved, self._moved(_exact(module), self.offset, name))

    def _through_linear(self, module: nn.Linear, name: str) -> "_Columns":
        """The usual case, without copies of the module and without a product with the identity."""
        self._check_size(module.out_features, name)
        weight = module.weight.detach().double().T
        offset = self.offset @ weight if module.bias is None else self.offset @ weight + module.bias.detach().double()
        return _Columns(weight if self.linear is None else self.linear @ weight, offset)

    def matrix(self, name: str) -> tuple[Float[ndarray, "n m"], Float[ndarray, "n"]]:
        """Weight [n, m] and bias [n] of the map, contiguous."""
        rows = self._rows(name)
        weight = np.ascontiguousarray(rows.flatten(start_dim=1).T.numpy())
        bias = np.ascontiguousarray(self.offset.flatten().numpy())
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"the weights before {name} exceed the range of float64")
        return weight, bias

    def _rows(self, name: str) -> Tensor:
        """The images of the unit vectors; here the identity becomes a matrix."""
        if self.linear is not None:
            return self.linear
        n = prod(self.shape)
        if n * n > MAX_ENTRIES:
            raise ValueError(f"{name}: a matrix of {n} columns is needed, more than {MAX_ENTRIES:,} entries")
        return torch.eye(n, dtype=torch.float64).reshape(n, *self.shape)

    def _moved(self, module: nn.Module, x: Tensor, name: str) -> Tensor:
        try:
            moved = module(x)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{name}: inputs of shape {tuple(x.shape[1:])} do not fit, {error}") from error
        self._check_size(moved[0].numel(), name)
        return moved

    def _check_size(self, n_out: int, name: str) -> None:
        n_in = prod(self.shape) if self.linear is None else len(self.linear)
        if n_in * n_out > MAX_ENTRIES:
            raise ValueError(f"{name}: its matrix would have {n_out} × {n_in} entries, more than {MAX_ENTRIES:,}")


def _of_slice(plane: Slice, shape: tuple[int, ...]) -> _Columns:
    directions = torch.tensor(plane.directions).reshape(-1, *shape)
    return _Columns(directions, torch.tensor(plane.origin).reshape(1, *shape))


def _input_shape(net: nn.Module, size: int, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    known: tuple[int, ...] = shape or getattr(getattr(net, "spec", None), "input_shape", (size,))
    if prod(known) != size:
        raise ValueError(f"slices through points of {size} entries do not fit the network's input shape {known}")
    return known


def _leaves(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules that an nn.Sequential calls, in order, with their names."""
    if not _keeps_forward(module, (nn.Sequential,)):
        yield name or type(module).__name__, module
        return
    for child_name, child in module.named_children() if not _repeats(module) else module._modules.items():
        if child is not None:
            yield from _leaves(child, f"{name}.{child_name}" if name else child_name)


def _repeats(module: nn.Module) -> bool:
    """Whether a module occurs twice: `named_children` would skip the second."""
    return len(set(module._modules.values())) < len(module._modules)


def _keeps_forward(module: nn.Module, classes: tuple[type[nn.Module], ...]) -> bool:
    """Whether the module computes what one of the classes does: subclasses may have another forward."""
    return any(isinstance(module, cls) and type(module).forward is cls.forward for cls in classes)


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


def _check_module(module: nn.Module, name: str) -> None:
    """Refuse, by its name, what is not affine, is random, or holds numbers that are none."""
    if isinstance(module, DROPOUT):
        if module.training and module.p > 0:
            raise ValueError(f"{name} is a {type(module).__name__} in training mode, which is random; call net.eval()")
        return
    if not _keeps_forward(module, AFFINE):
        raise ValueError(
            f"{name} is a {type(module).__name__}, which is not supported: regions need an nn.Sequential of affine "
            f"modules ({', '.join(cls.__name__ for cls in AFFINE)}) and of KWTA and ReLU"
        )
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None:
        raise ValueError(f"{name} is a {type(module).__name__} without running statistics, which mixes examples")
    for part, values in (*module.named_parameters(), *module.named_buffers()):
        if not torch.isfinite(values).all():
            raise ValueError(f"{name}.{part} holds NaN or infinite values; weights and biases must be finite")


def _exact(module: nn.Module) -> nn.Module:
    """The module itself if it computes in float64 what it does in evaluation mode, else a copy that does."""
    values = (*module.parameters(), *module.buffers())
    wrong = any(v.is_floating_point() and v.dtype != torch.float64 for v in values)
    learning = module.training and isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    return copy.deepcopy(module).double().eval() if wrong or learning else module


def _homogeneous(module: nn.Module) -> nn.Module:
    """The linear part of an affine module, in float64."""
    if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d):
        return _exact(module)
    linear = copy.deepcopy(module).double().eval()
    shifts = linear.running_mean if isinstance(linear, nn.BatchNorm1d | nn.BatchNorm2d) else None
    for values in (linear.bias, shifts):
        if values is not None:
            values.zero_()
    return linear
