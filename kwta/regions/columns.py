"""An affine map in the making: the images of the unit vectors and of zero, pushed through module after module."""

import copy
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, prod

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

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
class Columns:
    """x ↦ linear · x + offset; `linear` None is the identity, which has not yet been moved.

    linear [m, *shape]: the images of the unit vectors, without the offset. Never written to.
    """

    linear: Float[ndarray, "m *shape"] | None
    offset: Float[ndarray, "1 *shape"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the map gives."""
        return self.offset.shape[1:]

    def through(self, module: nn.Module, name: str) -> "Columns":
        """The map followed by an affine module; ValueError, naming the module, if it is none or cannot be followed."""
        if type(module) is nn.Linear and self.shape == (module.in_features,):
            return self._through_linear(module, name)
        if type(module) is nn.Flatten and module.start_dim == 1 and len(self.shape) == 1:
            return self
        _check_module(module, name)
        if self.linear is None and isinstance(module, nn.Identity | nn.Flatten):
            return Columns(None, _moved(module, self.offset, name))
        linear = _homogeneous(module)
        rows = self._rows(name)
        parts = []
        for start in range(0, len(rows), ROWS):
            parts.append(_moved(linear, rows[start : start + ROWS], name))
            self._check_size(parts[0][0].size, name)
        return Columns(np.concatenate(parts), _moved(_exact(module), self.offset, name))

    def _through_linear(self, module: nn.Linear, name: str) -> "Columns":
        """The usual case in few steps: a small network is folded anew for every frame of a slider."""
        self._check_size(module.out_features, name)
        weight = _finite(module.weight, name, "weight").T
        offset = self.offset if self.linear is None and not self.offset.any() else self.offset @ weight
        if module.bias is not None:
            bias = _finite(module.bias, name, "bias")
            offset = bias[None] if offset is self.offset else offset + bias
        elif offset is self.offset:
            offset = np.zeros((1, module.out_features))
        return Columns(weight if self.linear is None else self.linear @ weight, offset)

    def plus(self, other: "Columns", name: str) -> "Columns":
        """The sum of two maps of the same input; ValueError where their shapes differ."""
        if self.shape != other.shape:
            raise ValueError(f"{name}: a residual sum needs one shape, got {self.shape} and {other.shape}")
        return Columns(self._rows(name) + other._rows(name), self.offset + other.offset)

    def matrix(self, name: str) -> tuple[Float[ndarray, "n m"], Float[ndarray, "n"]]:
        """Weight [n, m] and bias [n] of the map, contiguous, and no memory of a network."""
        rows = self._rows(name)
        weight = np.array(rows.reshape(len(rows), -1).T, order="C")
        bias = self.offset.reshape(-1).copy()
        if not (all_finite(weight) and all_finite(bias)):
            raise ValueError(f"the weights before {name} exceed the range of float64")
        return weight, bias

    def _rows(self, name: str) -> Float[ndarray, "m *shape"]:
        """The images of the unit vectors; here the identity becomes a matrix."""
        return self.linear if self.linear is not None else _identity(prod(self.shape), name).reshape(-1, *self.shape)

    def _check_size(self, n_out: int, name: str) -> None:
        n_in = prod(self.shape) if self.linear is None else len(self.linear)
        if n_in * n_out > MAX_ENTRIES:
            raise ValueError(f"{name}: its matrix would have {n_out} × {n_in} entries, more than {MAX_ENTRIES:,}")


def of_slice(plane: Slice, shape: tuple[int, ...]) -> Columns:
    """t ↦ s(t), in the shape of one input."""
    return Columns(plane.directions.reshape(-1, *shape), plane.origin.reshape(1, *shape))


def parted(shapes: list[tuple[int, ...]], name: str) -> list[Columns]:
    """The parts of these shapes of one long vector, as maps of it; of one part alone, the identity."""
    if len(shapes) == 1:
        return [Columns(None, np.zeros((1, *shapes[0])))]
    ends = np.cumsum([0, *map(prod, shapes)]).tolist()
    unit = _identity(ends[-1], name)
    return [
        Columns(unit[:, start:end].reshape(-1, *shape), np.zeros((1, *shape)))
        for shape, (start, end) in zip(shapes, pairwise(ends), strict=True)
    ]


def keeps_forward(module: nn.Module, classes: tuple[type[nn.Module], ...]) -> bool:
    """Whether the module computes what one of the classes does: subclasses may have another forward."""
    return any(isinstance(module, cls) and type(module).forward is cls.forward for cls in classes)


def _identity(n: int, name: str) -> Float[ndarray, "n n"]:
    if n * n > MAX_ENTRIES:
        raise ValueError(f"{name}: a matrix of {n} columns is needed, more than {MAX_ENTRIES:,} entries")
    return np.eye(n)


def _moved(module: nn.Module, x: Float[ndarray, "batch *shape"], name: str) -> Float[ndarray, "batch *out"]:
    try:
        return module(torch.from_numpy(np.array(x))).numpy()  # a copy: a module may write into its input
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{name}: inputs of shape {tuple(x.shape[1:])} do not fit, {error}") from error


def _finite(values: Tensor, name: str, part: str) -> Float[ndarray, "*shape"]:
    """The values in float64; ValueError if there is none among them."""
    exact = values.detach().double().cpu().numpy()
    if not all_finite(exact):
        raise ValueError(f"{name}.{part} holds NaN or infinite values; weights and biases must be finite")
    return exact


def all_finite(values: Float[ndarray, "*shape"]) -> bool:
    """Whether no value is NaN or infinite: a finite sum says so at once."""
    return isfinite(np.add.reduce(values, axis=None)) or bool(np.isfinite(values).all())


def _check_module(module: nn.Module, name: str) -> None:
    """Refuse, by its name, what is not affine, is random, or holds numbers that are none."""
    if isinstance(module, DROPOUT):
        if module.training and module.p > 0:
            raise ValueError(f"{name} is a {type(module).__name__} in training mode, which is random; call net.eval()")
        return
    if not keeps_forward(module, AFFINE):
        raise ValueError(
            f"{name} is a {type(module).__name__}, which is not supported: regions need an nn.Sequential of affine "
            f"modules ({', '.join(cls.__name__ for cls in AFFINE)}) and of KWTA and ReLU"
        )
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None:
        raise ValueError(f"{name} is a {type(module).__name__} without running statistics, which mixes examples")
    for part, values in (*module.named_parameters(), *module.named_buffers()):
        _finite(values, name, part)


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
