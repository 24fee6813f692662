"""From a spec and a seed to a network."""

from math import sqrt

from torch import Generator, nn

from kwta.networks.network import Network, unfilled
from kwta.networks.specs import Init, Spec

HE_BIAS = 0.5  # standard deviation; with zero biases every border of the first layer would pass through the origin


def build(spec: Spec, seed: int) -> Network:
    """A float32 network on the CPU, its weights drawn from a generator of its own.

    "default" is PyTorch's: weights and biases uniform in ±1/√fan_in. "he" draws weights from N(0, 2/fan_in) (He et al.,
    ICCV 2015, section 2.2) and biases from N(0, ½²), so that the regions of a random network are in general position.
    Draws go layer by layer, weights before biases, and no activation draws: the same seed gives the same weights with
    k-WTA and with ReLU, in any thread. PyTorch's global generator is neither read nor changed.

    `net.spec` and `net.seed` are kept. Raises ValueError unless 0 <= seed < 2**63.

    >>> build(MLP((2, 8, 2), gamma=0.25), seed=0)(torch.zeros(5, 2)).shape
    torch.Size([5, 2])
    """
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number in 0..2**63 - 1, got {seed!r}")
    net = unfilled(spec)
    net.seed = seed
    generator = Generator().manual_seed(seed)
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _fill(layer, spec.init, generator)
    return net


def _fill(layer: nn.Linear | nn.Conv2d, init: Init, generator: Generator) -> None:
    fan_in = layer.weight[0].numel()
    if init == "he":
        nn.init.normal_(layer.weight, 0.0, sqrt(2 / fan_in), generator)
    else:
        nn.init.kaiming_uniform_(layer.weight, a=sqrt(5), generator=generator)  # the same as ±1/√fan_in, bit by bit
    if layer.bias is None:
        return
    if init == "he":
        nn.init.normal_(layer.bias, 0.0, HE_BIAS, generator)
    else:
        nn.init.uniform_(layer.bias, -1 / sqrt(fan_in), 1 / sqrt(fan_in), generator)
