"""ResNet-18 for small images, with ReLU or k-WTA.

Source: He, Zhang, Ren, Sun, Deep Residual Learning, CVPR 2016: blocks of section 3.3, eighteen layers of table 1, with
the stem of their section 4.2 for 32×32 images (a 3×3 convolution, no max-pooling) and a 1×1 convolution where a
shortcut changes its shape, as k-WTA was tested on it (Xiao et al., ICLR 2020).
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from torch import nn

from kwta.networks.fields import (
    Gamma,
    Init,
    Ratio,
    check_image,
    check_integers,
    check_shared,
    per_layer,
    winners_per_layer,
)
from kwta.networks.layers import Named, activation, convolution, dense
from kwta.networks.residual import Residual

# (channels over the stem's, stride) of the eight blocks.
BLOCKS = ((1, 1), (1, 1), (2, 2), (2, 1), (4, 2), (4, 1), (8, 2), (8, 1))


@dataclass(frozen=True)
class ResNet18:
    """A 3×3 stem, eight residual blocks of two 3×3 convolutions, the mean over the image, and a linear layer.

    Every convolution is followed by batch norm. An activation follows the stem, the first convolution of each block,
    and each block's sum: 17 hidden layers. A C×H×W output is one vector of C·H·W units.

    image: (C, H, W) of the input. gamma: γ of all hidden layers, or one entry for each; None is ReLU. width: channels
    of the stem; the blocks have 1, 1, 2, 2, 4, 4, 8, 8 times as many. init: "default" (PyTorch's) or "he"; see `build`.

    >>> ResNet18().n_parameters, ResNet18(gamma=0.1).winners[:3]
    (11173962, (6553, 6553, 6553))

    Raises ValueError where a value is not allowed, naming it; also if some layer would have no winner.
    """

    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)
    gamma: Gamma = None
    width: int = 64
    init: Init = "default"
    kind: Literal["resnet18"] = "resnet18"

    def __post_init__(self) -> None:
        check_image(self.image)
        for name in ("classes", "width"):
            check_integers(name, (getattr(self, name),))
        check_shared(self, "resnet18")

    @property
    def feature_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """C×H×W of each hidden layer's output."""
        _, height, width = self.image
        shapes = [(self.width, height, width)]
        for times, stride in BLOCKS:
            height, width = -(-height // stride), -(-width // stride)
            shapes += [(times * self.width, height, width)] * 2
        return tuple(shapes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """n = C·H·W of each hidden layer."""
        return tuple(map(prod, self.feature_shapes))

    @property
    def gammas(self) -> tuple[Ratio | None, ...]:
        """γ of each hidden layer; None is ReLU."""
        return per_layer(self.gamma, len(self.sizes))

    @property
    def winners(self) -> tuple[int | None, ...]:
        """k = ⌊γn⌋ of each hidden layer; None is ReLU."""
        return winners_per_layer(self.gammas, self.sizes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example, (C, H, W)."""
        return self.image

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.classes

    @property
    def n_parameters(self) -> int:
        """Σ (C_in kernel² + 2) C_out over convolutions, each with the scale and shift of its norm, plus the head."""
        total, before = (9 * self.image[0] + 2) * self.width, self.width
        for times, stride in BLOCKS:
            after = times * self.width
            total += (9 * before + 2) * after + (9 * after + 2) * after
            total += (before + 2) * after if (before, stride) != (after, 1) else 0
            before = after
        return total + (before + 1) * self.classes


def layers(spec: ResNet18, options: dict[str, Any]) -> Named:
    """The modules in order. Block i is `block1` to `block8`; the rest has the number of its hidden layer, from 1."""
    yield from _normed(1, spec.image[0], spec.width, 1, options)
    yield "activation1", activation(spec.gammas[0])
    before = spec.width
    for block, (times, stride) in enumerate(BLOCKS, start=1):
        after, inner = times * spec.width, 2 * block
        body = OrderedDict(
            [
                *_normed(inner, before, after, stride, options),
                (f"activation{inner}", activation(spec.gammas[inner - 1])),
                *_normed(inner + 1, after, after, 1, options),
            ]
        )
        yield f"block{block}", Residual(nn.Sequential(body), _shortcut(before, after, stride, options))
        yield f"activation{inner + 1}", activation(spec.gammas[inner])
        before = after
    yield "pool", nn.AvgPool2d(spec.feature_shapes[-1][1:])
    yield "flatten", nn.Flatten()
    yield from dense((before, spec.classes), (), len(spec.sizes) + 1, options)


def _normed(layer: int, n_in: int, n_out: int, stride: int, options: dict[str, Any]) -> Named:
    """A 3×3 convolution and its batch norm."""
    yield f"conv{layer}", convolution(n_in, n_out, 3, options, stride=stride, padding=1, bias=False)
    yield f"norm{layer}", nn.BatchNorm2d(n_out, **options)


def _shortcut(n_in: int, n_out: int, stride: int, options: dict[str, Any]) -> nn.Module:
    """The identity, or a 1×1 convolution with batch norm where the block changes the shape."""
    if (n_in, stride) == (n_out, 1):
        return nn.Identity()
    conv = convolution(n_in, n_out, 1, options, stride=stride, bias=False)
    return nn.Sequential(OrderedDict([("conv", conv), ("norm", nn.BatchNorm2d(n_out, **options))]))
