"""φ_k as a function: shapes, gradient, and the choice of the selection that fits the device."""

from functools import cache
from types import ModuleType

import torch
import torch.autograd.forward_ad as forward_ad
from jaxtyping import Bool, Float
from torch import Tensor

from kwta.activation import selection_torch

# Below this many entries a backward pass in Python costs more than the extra memory traffic of torch's own `where`.
FUSED_FROM = 1 << 14
# What losers become. A tensor: turning the number 0 into one takes a microsecond, which a layer of 64 units feels.
ZERO = torch.zeros(())


def _selection(y: Tensor) -> ModuleType:
    """The module that selects on y's device: our kernel for float32 and float64 on the CPU, torch elsewhere."""
    if y.device.type == "cpu" and y.dtype in (torch.float32, torch.float64):
        return _own_selection()
    return selection_torch


@cache
def _own_selection() -> ModuleType:
    from kwta.activation import selection_numba  # imported on first use: Numba takes a third of a second

    return selection_numba


def _rows(y: Tensor, k: int) -> Tensor:
    """y as a matrix of rows, after the checks that every entry point shares."""
    if y.ndim == 0:
        raise ValueError("k-WTA needs a vector, got a single number")
    if not y.is_floating_point():
        raise ValueError(f"k-WTA needs floating-point entries, got {y.dtype}")
    if not 1 <= k <= y.shape[-1]:
        raise ValueError(f"k must lie in 1..{y.shape[-1]}, the number of entries, got {k}")
    return y if y.ndim == 2 else y.reshape(-1, y.shape[-1])  # a reshape costs a step of its own in the backward pass


def _mask(rows: Tensor, k: int) -> Tensor:
    return _selection(rows).mask(rows.contiguous(), k)


class _Kwta(torch.autograd.Function):
    """φ_k on rows with selection and masking in one pass."""

    @staticmethod
    def forward(ctx, y: Tensor, k: int) -> Tensor:
        out, won = _selection(y).select(y.contiguous(), k)
        ctx.save_for_backward(won)
        return out

    @staticmethod
    def backward(ctx, *grads: Tensor):
        g, won = grads[0], ctx.saved_tensors[0]
        if torch.is_grad_enabled():  # somebody differentiates this derivative
            return torch.where(won, g, 0), None
        return _selection(g).keep(g.contiguous(), won), None


class _Mask(torch.autograd.Function):
    """The winners of rows under the transforms of torch.func; locally constant, so without derivative."""

    @staticmethod
    def forward(y: Tensor, k: int) -> Tensor:
        return _mask(y, k)

    @staticmethod
    def setup_context(ctx, _inputs, output) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(_ctx, *_):
        return None, None

    @staticmethod
    def jvp(_ctx, *_):
        return None

    @staticmethod
    def vmap(_info, in_dims, y, k):
        rows = y.movedim(in_dims[0], 0)
        return _Mask.apply(rows.reshape(-1, rows.shape[-1]), k).reshape(rows.shape), 0


def _is_transformed(y: Tensor) -> bool:
    return torch._C._are_functorch_transforms_active() or (
        forward_ad._current_level >= 0 and forward_ad.unpack_dual(y).tangent is not None
    )


def kwta(y: Float[Tensor, "*batch n"], k: int) -> Float[Tensor, "*batch n"]:
    """φ_k(y): keep the k largest entries of each row and set the others to zero.

    Exactly k entries of every row survive: of equal values the lower index wins; a negative entry may win; NaN counts
    as +∞ and so stays visible. The gradient flows to winners only; higher derivatives, forward mode and torch.func's
    transforms work. The winners are the same on every device.

    >>> kwta(torch.tensor([3.0, -1.0, 3.0, 5.0]), 2)
    tensor([3., 0., 0., 5.])

    Raises ValueError unless 1 <= k <= n and y is floating-point. Source: Xiao et al., ICLR 2020, equation (1).
    """
    rows = _rows(y, k)
    if _is_transformed(y):
        out = torch.where(_Mask.apply(rows, k), rows, 0)
    elif not (torch.is_grad_enabled() and y.requires_grad):
        out = _selection(rows).select(rows.detach().contiguous(), k)[0]
    elif rows.numel() < FUSED_FROM:
        out = torch.where(_mask(rows.detach(), k), rows, ZERO)
    else:
        out = _Kwta.apply(rows, k)
    return out if y.ndim == 2 else out.reshape(y.shape)


def pattern(y: Float[Tensor, "*batch n"], k: int) -> Bool[Tensor, "*batch n"]:
    """A(y): True at the k winners of each row, decided as in `kwta`."""
    return _mask(_rows(y.detach(), k), k).reshape(y.shape)


def threshold(y: Float[Tensor, "*batch n"], k: int) -> Float[Tensor, "*batch"]:
    """The k-th largest entry of each row: the value v at which winners and losers meet."""
    rows = _rows(y.detach(), k)
    return _selection(rows).thresholds(rows.contiguous(), k).reshape(y.shape[:-1])
