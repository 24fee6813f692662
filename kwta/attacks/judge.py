"""The judge: an attack proposes, and only a changed prediction of the real network on an allowed input counts."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, Integer
from torch import Tensor, nn

from kwta.attacks.labels import checked
from kwta.attacks.per_input import per_input
from kwta.patterns.winners import evaluating
from kwta.threats import Threat

BATCH = 500  # inputs per forward pass


@dataclass(frozen=True, eq=False)
class Judgement:
    """What came of proposals.

    x: the inputs that were judged, all of them in ball and box. predictions: on these. fooled: whether the prediction
    is not the label; an input that the network gets wrong without any attack is fooled too.
    """

    x: Float[Tensor, "batch *shape"]
    predictions: Int64[Tensor, "batch"]
    fooled: Bool[Tensor, "batch"]


def judged(
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Integer[Tensor, "batch"],
    proposed: Float[Tensor, "batch *shape"],
    threat: Threat,
) -> Judgement:
    """argmax f(z) ≠ label, where z is the proposal brought back to ball and box, whatever the attack has made of it.

    A proposal that is not finite counts as the input itself, and so does one for an input that is wrong already. Raises
    ValueError for inputs outside the data box or of another type than float32 and float64, and for labels that do not
    fit the inputs or the network.
    """
    threat.check(x)
    labels = checked(labels, x, net)
    wrong = predicted(net, x) != labels
    finite = torch.isfinite(proposed[:, None]).flatten(start_dim=1).all(dim=1)
    allowed = torch.where(per_input(wrong | ~finite, x), x, proposed.detach())
    allowed = threat.project(allowed, x)
    assert threat.contains(allowed, x).all(), "a projection must lie in ball and box"
    predictions = predicted(net, allowed)
    return Judgement(allowed, predictions, wrong | (predictions != labels))


@torch.no_grad()
def predicted(net: nn.Module, x: Float[Tensor, "batch *shape"]) -> Int64[Tensor, "batch"]:
    """argmax f(x), in evaluation mode."""
    net = evaluating(net)
    return torch.cat([net(part).argmax(dim=1) for part in x.split(BATCH)])
