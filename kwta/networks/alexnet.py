"""AlexNet for small images, with ReLU or k-WTA.

Source: Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997 (the layout with
64, 192, 384, 256, 256 channels and two layers of 4,096 units), adapted to 32×32 as usual: the first convolution is 3×3
with stride 2 instead of 11×11 with stride 4, the others are 3×3, and the pools are 2×2. Left out are local response
normalisation, as in most copies, and dropout, whose draws would come from a generator that all threads share.
"""

from collections.abc import Iterator
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
    dense_parameters,
    per_layer,
    winners_per_layer,
)
from kwta.networks.layers import Named, activation, convolution, dense

# (channels over the first convolution's, stride, side of the max-pooling that follows the activation).
CONVOLUTIONS = ((1, 2, 2), (3, 1, 2), (6, 1, 1), (4, 1, 1), (4, 1, 2))
DENSE = 64  # units of each fully connected hidden layer over the first convolution's channels


@dataclass(frozen=True)
class AlexNet:
    """Five 3×3 convolutions, the first with stride 2, three of them followed by 2×2 max-pooling; three dense layers.

    An activation follows every layer but the last: 7 hidden layers. A C×H×W output is one vector of C·H·W units.

    image: (C, H, W) of the input, H and W at least 15. gamma: γ of all hidden layers, or one entry for each; None is
    ReLU. width: channels of the first convolution; the others have 3, 6, 4, 4 times as many, and the dense hidden
    layers 64 times. batch_norm: between each convolution and its activation (the convolution then has no bias); the
    original has none. init: "default" (PyTorch's) or "he"; see `build`.

    >>> AlexNet().n_parameters, AlexNet(gamma=0.1).winners
    (23272266, (1638, 1228, 614, 409, 409, 409, 409))

    Raises ValueError where a value is not allowed, naming it; also if some layer would have no winner.
    """

    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)
    gamma: Gamma = None
    width: int = 64
    batch_norm: bool = False
    init: Init = "default"
    kind: Literal["alexnet"] = "alexnet"

    def __post_init__(self) -> None:
        check_image(self.image)
        for name in ("classes", "width"):
            check_integers(name, (getattr(self, name),))
        if not isinstance(self.batch_norm, bool):
            raise ValueError(f"batch_norm must be True or False, got {self.batch_norm!r}")
        if min(self.image[1:]) < 15:
            raise ValueError(f"the three poolings of AlexNet need images of at least 15×15, got {self.image}")
        check_shared(self, "alexnet")

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each convolution's output."""
        return tuple(times * self.width for times, *_ in CONVOLUTIONS)

    @property
    def feature_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """C×H×W of each convolution's output, before pooling: the vector its activation sees."""
        return tuple(before for before, _ in self._shapes())

    @property
    def dense_widths(self) -> tuple[int, ...]:
        """Widths of the fully connected head: flattened features, hidden layers, classes."""
        *_, (_, pooled) = self._shapes()
        return (prod(pooled), DENSE * self.width, DENSE * self.width, self.classes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """n of each hidden layer: C·H·W of the convolutions, then the dense widths."""
        return (*map(prod, self.feature_shapes), *self.dense_widths[1:-1])

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
        """Σ (9 C_in + b) C_out over convolutions, b = 2 with batch norm (scale, shift), else 1, plus the head."""
        pairs = zip((self.image[0], *self.channels), self.channels, strict=False)
        per_channel = 2 if self.batch_norm else 1
        return sum((9 * a + per_channel) * b for a, b in pairs) + dense_parameters(self.dense_widths)

    def _shapes(self) -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
        """C×H×W of each convolution's output, before and after pooling."""
        _, height, width = self.image
        for channels, (_, stride, pool) in zip(self.channels, CONVOLUTIONS, strict=True):
            height, width = -(-height // stride), -(-width // stride)
            yield (channels, height, width), (channels, height // pool, width // pool)
            height, width = height // pool, width // pool


def layers(spec: AlexNet, options: dict[str, Any]) -> Named:
    """The modules in order, with the numbers of their hidden layers, from 1."""
    before = spec.image[0]
    for layer, (channels, (_, stride, pool)) in enumerate(zip(spec.channels, CONVOLUTIONS, strict=True), start=1):
        sides = {"stride": stride, "padding": 1, "bias": not spec.batch_norm}
        yield f"conv{layer}", convolution(before, channels, 3, options, **sides)
        if spec.batch_norm:
            yield f"norm{layer}", nn.BatchNorm2d(channels, **options)
        yield f"activation{layer}", activation(spec.gammas[layer - 1])
        if pool > 1:
            yield f"pool{layer}", nn.MaxPool2d(pool)
        before = channels
    yield "flatten", nn.Flatten()
    n_convolutions = len(CONVOLUTIONS)
    yield from dense(spec.dense_widths, spec.gammas[n_convolutions:], n_convolutions + 1, options)
