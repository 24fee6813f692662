"""What determines a network before training: frozen specs, which are hashable, comparable and serialisable.

A spec names sizes and the sparsity ratio γ of every hidden layer; `build(spec, seed)` turns it into a network.
Letters: a layer of n units keeps k = ⌊γn⌋ winners; γ = None is ReLU.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from reprlib import repr  # long tuples are shortened in messages
from typing import Literal

from kwta.networks.alexnet import AlexNet
from kwta.networks.fields import (
    Gamma,
    Init,
    Ratio,
    check_image,
    check_integers,
    check_ratios,
    check_shared,
    dense_parameters,
    per_layer,
    winners_per_layer,
)
from kwta.networks.resnet import ResNet18

__all__ = [
    "CNN",
    "MLP",
    "AlexNet",
    "Gamma",
    "Init",
    "Ratio",
    "ResNet18",
    "Spec",
    "check_ratios",
    "per_layer",
    "winners_per_layer",
]


@dataclass(frozen=True)
class MLP:
    """f(x) = Wᴸ φ(… φ(W¹ x + b¹) …) + bᴸ: a fully connected network.

    widths: inputs, hidden layers, outputs; `(64, 256, 10)` has one hidden layer, `(64, 10)` is affine.
    gamma: γ of all hidden layers, or one entry per hidden layer; None is ReLU.
    init: "default" (PyTorch's) or "he"; see `build`.
    Inputs of any shape are flattened first, so images need no preparation.

    >>> MLP((64, 256, 128, 10), gamma=0.2).winners
    (51, 25)

    Raises ValueError where a value is not allowed, naming it; also if some layer would have no winner.
    """

    widths: tuple[int, ...]
    gamma: Gamma = None
    init: Init = "default"
    kind: Literal["mlp"] = "mlp"

    def __post_init__(self) -> None:
        check_integers("widths", self.widths)
        if len(self.widths) < 2:
            raise ValueError(f"widths must name at least inputs and outputs, got {self.widths}")
        check_shared(self, "mlp")

    @property
    def sizes(self) -> tuple[int, ...]:
        """n of each hidden layer."""
        return self.widths[1:-1]

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
        """Shape of one example; any other shape with as many entries works as well."""
        return self.widths[:1]

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.widths[-1]

    @property
    def n_parameters(self) -> int:
        """Σ (n_in + 1) n_out, weights and biases."""
        return dense_parameters(self.widths)


@dataclass(frozen=True)
class CNN:
    """Convolutions, each followed by batch norm, activation and average pooling, then a fully connected head.

    image: (C, H, W) of the input. channels: of each convolution's output. classes: number of logits.
    kernel: odd; the padding keeps H×W. pool: side of the average pooling after each activation, 1 for none; rows and
    columns that do not fill a window are dropped. batch_norm: between convolution and activation (the convolution then
    has no bias). hidden: widths of fully connected hidden layers after the convolutions.
    gamma: γ of all hidden layers, or one entry for each, convolutions first; None is ReLU. A C×H×W output is one vector
    of C·H·W units. init: "default" (PyTorch's) or "he"; see `build`.

    >>> CNN((1, 8, 8), channels=(4, 8), classes=10, hidden=(32,), gamma=0.25).sizes
    (256, 128, 32)

    Raises ValueError where a value is not allowed, naming it; also if some layer would have no winner.
    """

    image: tuple[int, int, int]
    channels: tuple[int, ...]
    classes: int
    kernel: int = 3
    pool: int = 2
    batch_norm: bool = True
    hidden: tuple[int, ...] = ()
    gamma: Gamma = None
    init: Init = "default"
    kind: Literal["cnn"] = "cnn"

    def __post_init__(self) -> None:
        check_image(self.image)
        for name in ("channels", "hidden"):
            check_integers(name, getattr(self, name))
        for name in ("classes", "kernel", "pool"):
            check_integers(name, (getattr(self, name),))
        if not self.channels:
            raise ValueError("channels must name at least one convolution, got (); without any use an MLP")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, so that padding keeps height and width, got {self.kernel}")
        if not isinstance(self.batch_norm, bool):
            raise ValueError(f"batch_norm must be True or False, got {repr(self.batch_norm)}")
        for layer, (_, *side) in enumerate(self.feature_shapes, start=1):
            if min(side) < self.pool:
                raise ValueError(f"pool {self.pool} exceeds the {side[0]}×{side[1]} output of convolution {layer}")
        check_shared(self, "cnn")

    @property
    def feature_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """C×H×W of each convolution's output, before pooling: the vector its activation sees."""
        _, height, width = self.image
        shrunk = [self.pool**layer for layer in range(len(self.channels))]
        return tuple((c, height // s, width // s) for c, s in zip(self.channels, shrunk, strict=True))

    @property
    def dense_widths(self) -> tuple[int, ...]:
        """Widths of the fully connected head: flattened features, hidden layers, classes."""
        channels, height, width = self.feature_shapes[-1]
        return (channels * (height // self.pool) * (width // self.pool), *self.hidden, self.classes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """n of each hidden layer: C·H·W of the convolutions, then the dense widths."""
        return (*map(prod, self.feature_shapes), *self.hidden)

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
        """Σ (C_in kernel² + b) C_out over convolutions, b = 2 with batch norm (scale, shift), else 1, plus the head."""
        pairs = pairwise((self.image[0], *self.channels))
        per_channel = 2 if self.batch_norm else 1
        return sum((a * self.kernel**2 + per_channel) * b for a, b in pairs) + dense_parameters(self.dense_widths)


Spec = MLP | CNN | ResNet18 | AlexNet
