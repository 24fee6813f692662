"""A block with a shortcut around it. Source: He, Zhang, Ren, Sun, Deep Residual Learning, CVPR 2016, section 3.1."""

from jaxtyping import Float
from torch import Tensor, nn


class Residual(nn.Module):
    """body(x) + shortcut(x): both see the same input and must give the same shape.

    body: what the block learns; it may hold activations. shortcut: the identity, or what fits x to the body's shape.
    What follows the sum, an activation as a rule, comes after the block.

    >>> Residual(nn.Sequential(nn.Linear(3, 3)), nn.Identity())(torch.zeros(5, 3)).shape
    torch.Size([5, 3])

    Raises ValueError where the two shapes differ, instead of stretching one of them.
    """

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *out"]:
        learned, passed = self.body(x), self.shortcut(x)
        if learned.shape != passed.shape:
            raise ValueError(
                f"a residual sum needs one shape, got {tuple(learned.shape[1:])} from the body and "
                f"{tuple(passed.shape[1:])} from the shortcut"
            )
        return learned + passed
