"""Which units of a hidden layer are active: winners of k-WTA, positive units of ReLU."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from kwta.activation import KWTA, pattern


def won(module: nn.Module, y: Float[Tensor, "batch *units"]) -> Bool[Tensor, "batch *units"]:
    """True at the winners among the pre-activations y of a KWTA module; at y > 0 for a ReLU.

    Ties are decided as in the network itself, and the layer's `dims` say what makes up one vector.

    >>> won(KWTA(0.5), torch.tensor([[3.0, -1.0, -2.0, -3.0]])).tolist()
    [[True, True, False, False]]
    """
    if not isinstance(module, KWTA):
        return y > 0
    dims = y.ndim - 1 if module.dims is None else module.dims
    rows = y.flatten(start_dim=y.ndim - dims)
    return pattern(rows, module.winners(rows.shape[-1])).reshape(y.shape)
