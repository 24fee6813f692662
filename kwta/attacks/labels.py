"""Labels as attacks and judge take them: one class number for each input."""

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from kwta.networks import Network


def checked(
    labels: Integer[Tensor, "batch"], x: Float[Tensor, "batch *shape"], net: nn.Module
) -> Int64[Tensor, "batch"]:
    """The labels as 64-bit integers, which alone torch takes everywhere.

    Raises ValueError for a number or shape of labels that is not that of the inputs, for numbers that are not whole,
    and for classes that the network does not have, as far as it tells how many it has.
    """
    if labels.dim() != 1 or len(labels) != len(x):
        raise ValueError(
            f"each input needs one label, shape [{len(x)}] for inputs of shape {list(x.shape)}; got labels of shape "
            f"{list(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be whole numbers, 0 for the first class, got {labels.dtype}")
    last = net[-1] if isinstance(net, Network) and len(net) else None
    classes = last.out_features if isinstance(last, nn.Linear) else None
    if len(labels):
        least, most = (int(bound) for bound in labels.aminmax())
        if least < 0 or (classes is not None and most >= classes):
            allowed = "0 or more" if classes is None else f"from 0 to {classes - 1}"
            raise ValueError(f"labels must be {allowed}, got {least if least < 0 else most}")
    return labels.long()
