"""What an attack hands over: inputs, and what they cost."""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Proposal:
    """One proposed input for each input attacked; whether it fools the network, an independent judge decides.

    queries: forward passes of the network spent on each input, those that a gradient needs included.
    backwards: backward passes likewise.
    """

    x: Float[Tensor, "batch *shape"]
    queries: Int64[Tensor, "batch"]
    backwards: Int64[Tensor, "batch"]
