"""One value per input, beside inputs of any shape."""

from jaxtyping import Shaped
from torch import Tensor


def per_input(values: Shaped[Tensor, " n"], like: Shaped[Tensor, "_ *shape"]) -> Shaped[Tensor, "n ..."]:
    """One value per input, shaped to broadcast over inputs like these: [batch, 1, ..., 1].

    >>> import torch
    >>> per_input(torch.zeros(3), torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 1, 1, 1])
    """
    return values.reshape(-1, *[1] * (like.ndim - 1))
