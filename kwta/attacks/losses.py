"""What an attacker wants large, per input: three losses of the logits z and the label y.

Cross-entropy is what networks are trained on, but in float32 its gradient vanishes where the network is sure. The
margin is the sign of success itself; DLR is a margin that no rescaling of the logits changes.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

LossName = Literal["cross-entropy", "margin", "dlr"]
Loss = Callable[[Tensor, Tensor], Tensor]

TINY = 1e-12  # keeps DLR finite where the three largest logits are equal, as in its authors' code


def cross_entropy(logits: Float[Tensor, "batch classes"], labels: Int64[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """−log softmax(z)_y."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Float[Tensor, "batch classes"], labels: Int64[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """max_{j ≠ y} z_j − z_y: positive where the network errs (Carlini and Wagner, 2017, f₆ without the bound)."""
    own = labels[:, None]
    others = logits.scatter(1, own, -torch.inf)
    return others.amax(dim=1) - logits.gather(1, own)[:, 0]


def dlr(logits: Float[Tensor, "batch classes"], labels: Int64[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """−(z_y − max_{j ≠ y} z_j) / (z_π₁ − z_π₃), π sorting z downwards (Croce and Hein, ICML 2020, equation 6).

    Raises ValueError for fewer than three classes, which have no third largest logit.
    """
    if logits.shape[1] < 3:
        raise ValueError(f"the DLR loss needs at least 3 classes, got {logits.shape[1]}; use the margin")
    top = logits.topk(3, dim=1).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + TINY)


def named(name: LossName) -> Loss:
    """The loss of that name; ValueError for any other."""
    match name:
        case "cross-entropy":
            return cross_entropy
        case "margin":
            return margin
        case "dlr":
            return dlr
    raise ValueError(f"loss must be one of {', '.join(get_args(LossName))}, got {name!r}")
