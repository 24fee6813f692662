"""φ_k as a layer."""

from jaxtyping import Float
from torch import Tensor, nn

from kwta.activation.count import Ratio, exact, winners
from kwta.activation.operator import kwta


class KWTA(nn.Module):
    """φ_k with k = ⌊γN⌋, where N is the number of entries of one example.

    `dims` says how many trailing dimensions make up that one vector: 1 for a dense layer (any leading batch shape),
    3 for a C×H×W output. By default everything after the first, the batch dimension, is one vector, as in the paper.
    `gamma` may be assigned while training (annealing).

    >>> KWTA(0.5)(torch.tensor([[3.0, 1.0, -2.0, 5.0]]))
    tensor([[3., 0., 0., 5.]])
    """

    def __init__(self, gamma: Ratio, dims: int | None = None) -> None:
        super().__init__()
        if dims is not None and dims < 1:
            raise ValueError(f"dims must be at least 1 or None, got {dims}")
        self.gamma = gamma
        self.dims = dims

    @property
    def gamma(self) -> Ratio:
        return self._gamma

    @gamma.setter
    def gamma(self, value: Ratio) -> None:
        exact(value)
        self._gamma: Ratio = value

    def winners(self, n: int) -> int:
        """k for a layer of n units."""
        return winners(self.gamma, n)

    def forward(self, y: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        if y.ndim == 0:
            raise ValueError("k-WTA needs a vector, got a single number")
        dims = self.dims if self.dims is not None else max(y.ndim - 1, 1)
        if dims > y.ndim:
            raise ValueError(f"k-WTA over the last {dims} dimensions needs as many, got the shape {tuple(y.shape)}")
        flat = y.flatten(start_dim=y.ndim - dims)
        return kwta(flat, self.winners(flat.shape[-1])).reshape(y.shape)

    def extra_repr(self) -> str:
        return f"gamma={self.gamma}" + (f", dims={self.dims}" if self.dims is not None else "")
