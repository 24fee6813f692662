"""Figures that others have published on k-WTA's robustness, each with its source. None of them was measured here.

How a figure is known: "paper", stated in the publication; "code", read in its public code; "logs", read in the result
logs of a public repository; "record", read in RobustBench's record of the model. The tables of the k-WTA paper itself
are not among them: no copy was at hand that could be checked.
"""

from dataclasses import dataclass
from typing import Literal

from kwta.threats import EPS_CIFAR10, EPS_MNIST, EPS_SVHN

Known = Literal["paper", "code", "logs", "record"]


@dataclass(frozen=True)
class Source:
    """Where a figure stands: authors, title, year, an identifier, and how it is known."""

    authors: str
    title: str
    year: int
    where: str
    known: Known

    def __str__(self) -> str:
        return f"{self.authors}, {self.title}, {self.year} ({self.known})"


CLAIM = Source(
    "Xiao, Zhong, Zheng",
    "Enhancing Adversarial Defense by k-Winners-Take-All",
    2020,
    "ICLR 2020, arXiv 1905.10510",
    "code",
)
REFUTATION = Source(
    "Tramèr, Carlini, Brendel, Madry",
    "On Adaptive Attacks to Adversarial Example Defenses",
    2020,
    "arXiv 2002.08347, section 5",
    "code",
)
ORIGIN = Source("Costa and Antonini", "k-WTA Activation Function", 2020, "June 2020", "logs")
ROBUSTBENCH = Source("RobustBench", "model record", 2020, "robustbench.github.io", "record")


@dataclass(frozen=True)
class Radius:
    """ε in L∞ for inputs in [0, 1]."""

    data: str
    eps: float
    source: Source


RADII = (
    Radius("cifar10", EPS_CIFAR10, CLAIM),
    Radius("svhn", EPS_SVHN, CLAIM),
    Radius("mnist", EPS_MNIST, CLAIM),
)


@dataclass(frozen=True)
class Figure:
    """A robust accuracy of one model in percent, as claimed or as an attack left it.

    Figures of different models say nothing about each other, whatever the defence is called.
    """

    model: str
    training: str
    data: str
    eps: float
    judged_by: str
    robust: float
    source: Source
    clean: float | None = None


_RESNET = ("ResNet-18", "adversarial", "cifar10", EPS_CIFAR10)
_DENSENET = ("DenseNet-121", "adversarial", "cifar10", EPS_CIFAR10)

# The ResNet-18 of the adaptive attack, then the DenseNet-121 of the public record, flagged `unreliable` there.
FIGURES = (
    Figure(*_RESNET, "the adaptive attack of Tramèr et al.", 0.16, ROBUSTBENCH),
    Figure(*_DENSENET, "its authors", 52.4, ROBUSTBENCH, 79.28),
    Figure(*_DENSENET, "AutoAttack", 18.50, ROBUSTBENCH, 79.28),
    Figure(*_DENSENET, "APGD-CE, one restart, and Square, 30 restarts", 7.40, ROBUSTBENCH, 79.28),
)


@dataclass(frozen=True)
class Statement:
    """A sentence on how something was done, with its source."""

    text: str
    source: Source


STATEMENTS = (
    Statement(
        "Replacing ReLU by k-WTA makes white-box, gradient-based attacks fail, with any training method.",
        Source(CLAIM.authors, CLAIM.title, CLAIM.year, CLAIM.where, "paper"),
    ),
    Statement(
        "Its evaluation: FGSM, PGD-20, momentum iterative, DeepFool, an L2 Carlini-Wagner run with 10 iterations "
        "scored in L-infinity, Boundary++ with 20 iterations of 100 evaluations, transfer. No attack estimates "
        "gradients, and its PGD never clips to [0, 1].",
        CLAIM,
    ),
    Statement(
        "Margin loss on logits, no back-propagation: antithetic Gaussian finite differences with σ = 8/255 and 100 "
        "samples for iterations 0–19, 1,000 for 20–39, 20,000 for 40–99; sign steps of 0.01 projected to ε = 0.031 "
        "and clipped to [0, 1]; only images that still resist are updated.",
        REFUTATION,
    ),
)


@dataclass(frozen=True)
class Row:
    """One line of the origin's table: accuracy without attack, under its PGD and its DeepFool, in percent.

    gamma: None is ReLU. pretrained: on ImageNet. failed: its training did not succeed, so it says nothing.
    """

    network: Literal["alexnet", "resnet18"]
    data: Literal["cifar10", "svhn"]
    pretrained: bool
    gamma: float | None
    clean: float
    pgd: float
    deepfool: float
    source: Source = ORIGIN

    @property
    def failed(self) -> bool:
        """AlexNet with ReLU on SVHN: 19.59 % is the share of the most frequent digit among the test images."""
        return self.clean < 20  # all others lie above 76


Triple = tuple[float, float, float]
Network = Literal["alexnet", "resnet18"]
Data = Literal["cifar10", "svhn"]


def _rows(network: Network, data: Data, pretrained: bool, relu: Triple, fifth: Triple, tenth: Triple):
    pairs = ((None, relu), (0.2, fifth), (0.1, tenth))
    return tuple(Row(network, data, pretrained, gamma, *figures) for gamma, figures in pairs)


ORIGIN_TABLE: tuple[Row, ...] = (
    *_rows("alexnet", "svhn", False, (19.59, 18.91, 20.08), (95.35, 44.30, 1.95), (95.34, 35.31, 0.39)),
    *_rows("alexnet", "cifar10", False, (89.34, 62.19, 0.00), (88.84, 63.52, 0.00), (89.58, 61.64, 0.08)),
    *_rows("alexnet", "svhn", True, (90.62, 10.62, 0.00), (90.64, 8.98, 0.00), (87.66, 35.62, 2.50)),
    *_rows("alexnet", "cifar10", True, (87.32, 3.83, 0.00), (88.08, 8.20, 0.00), (83.64, 23.52, 11.02)),
    *_rows("resnet18", "svhn", False, (96.19, 57.58, 0.00), (95.37, 68.52, 13.91), (94.17, 69.45, 24.69)),
    *_rows("resnet18", "cifar10", False, (93.66, 25.23, 0.00), (90.15, 67.58, 10.62), (84.95, 68.12, 26.17)),
    *_rows("resnet18", "svhn", True, (95.08, 0.78, 0.00), (92.27, 0.00, 0.00), (83.52, 0.00, 13.75)),
    *_rows("resnet18", "cifar10", True, (95.12, 3.83, 0.00), (90.79, 0.16, 10.62), (76.92, 3.05, 25.16)),
)


@dataclass(frozen=True)
class Experiment:
    """The settings of the origin's table.

    relative_step: foolbox's `rel_stepsize`, a share of ε: the slip by which 40 steps travel at most 12 % of the ball.
    epoch_seconds: of one epoch by γ (None is ReLU), on the machine of its authors.
    """

    images: int = 1280
    pgd_steps: int = 40
    relative_step: float = 0.003
    deepfool_steps: int = 20
    deepfool_candidates: int = 10
    clip: float = 0.5
    epochs: int = 80
    epoch_seconds: tuple[tuple[float | None, int], ...] = ((None, 155), (0.2, 315), (0.1, 273))
    source: Source = ORIGIN


EXPERIMENT = Experiment()


def origin_row(network: str, data: str, gamma: float | None, pretrained: bool = False) -> Row | None:
    """The row of the origin's table for a network, data and γ (None is ReLU), or None where it has none.

    >>> origin_row("resnet18", "cifar10", 0.1).pgd
    68.12
    """
    wanted = (network, data, gamma, pretrained)
    return next((row for row in ORIGIN_TABLE if (row.network, row.data, row.gamma, row.pretrained) == wanted), None)


def origin_rows(network: str, data: str) -> tuple[Row, ...]:
    """The rows for this network, trained from scratch on this data set: ReLU, γ 0.2, γ 0.1; () if there are none.

    >>> [row.gamma for row in origin_rows("alexnet", "svhn")]
    [None, 0.2, 0.1]
    """
    return tuple(row for row in ORIGIN_TABLE if (row.network, row.data, row.pretrained) == (network, data, False))


def radius(data: str) -> float | None:
    """ε as published for that data set, or None.

    >>> radius("svhn"), radius("moons")
    (0.047, None)
    """
    return next((entry.eps for entry in RADII if entry.data == data), None)
