"""One door to all attacks: from a spec to what it proposes."""

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor, nn

from kwta.attacks.adaptive import Adaptive
from kwta.attacks.foreign import CarliniWagner, DeepFool, foreign
from kwta.attacks.gradient import Pgd, pgd
from kwta.attacks.hop_skip_jump import HopSkipJump, hop_skip_jump
from kwta.attacks.labels import checked
from kwta.attacks.noise import Noise, noise
from kwta.attacks.proposal import Proposal
from kwta.attacks.search import RandomSearch, random_search
from kwta.attacks.square import Square, square
from kwta.threats import Threat

Attack = Pgd | Adaptive | Square | RandomSearch | Noise | DeepFool | CarliniWagner | HopSkipJump


def propose(
    spec: Attack,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Integer[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """Inputs within the threat that `spec` thinks the network gets wrong; a judge elsewhere decides whether it does.

    net: in any mode; attacks run it in evaluation mode and leave mode and parameters as they find them. x and labels
    lie on its device. Random numbers come from the generator alone, drawn on the generator's device.

    Raises ValueError where x leaves the data box, is not finite or of no floating-point type, and where labels do not
    fit x or the network.
    """
    threat.check(x)
    labels = checked(labels, x, net)
    if not len(x):
        return Proposal(x, torch.zeros_like(labels), torch.zeros_like(labels))
    match spec:
        case Pgd():
            return pgd(spec, net, x, labels, threat, generator)
        case Adaptive():
            return pgd(spec.climb, net, x, labels, threat, generator)
        case Square():
            return square(spec, net, x, labels, threat, generator)
        case RandomSearch():
            return random_search(spec, net, x, labels, threat, generator)
        case Noise():
            return noise(spec, net, x, labels, threat, generator)
        case DeepFool() | CarliniWagner():
            return foreign(spec, net, x, labels, threat, generator)
        case HopSkipJump():
            return hop_skip_jump(spec, net, x, labels, threat, generator)
