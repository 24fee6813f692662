"""What determines a run of the origin's experiment, and what follows from it: network, training, attacks.

Costa and Antonini, k-WTA Activation Function, June 2020, after Xiao, Zhong, Zheng, ICLR 2020. Read in their public
code: random crops with padding 4 and flips on all data sets, SGD with momentum 0.9, 80 epochs; learning rate 0.1 and
from epoch 51 on 0.01 (Xiao et al.), batches of 64, PGD from a random start (Costa and Antonini). Their networks were
torchvision's, made for 224×224; here they have the layouts for 32×32.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import torch
from torch import Tensor

from kwta.attacks.adaptive import SCHEDULE, Adaptive
from kwta.attacks.ensembles import Spec as Attack
from kwta.attacks.estimators import Schedule
from kwta.attacks.foreign import DeepFool
from kwta.attacks.gradient import Pgd, Relative
from kwta.datasets import Data
from kwta.networks import AlexNet, Gamma, ResNet18
from kwta.published import EXPERIMENT
from kwta.threats import EPS_CIFAR10, Threat
from kwta.training import ANNEALED, Augmentation, Training

Network = Literal["resnet18", "alexnet"]

BATCH = 64
RATE, LATER_RATE = 0.1, 0.01
RATE_HOLDS = 50 / 80  # of all epochs, then the lower rate
# What a relative step of 0.003 was meant to be: the absolute step of the official code, for its ε of 0.031.
ABSOLUTE_STEP = 0.003


@dataclass(frozen=True)
class Reproduction:
    """One line of the origin's table, to be run again.

    gamma: None is ReLU. anneal: lower γ while training, from 0.2 by 0.005 every two epochs down to 0.1, in place of
    gamma. eps: radius in L∞, in the units of the inputs. images: of the test set, attacked. width: of the network, 64
    as published. schedule: of the adaptive attack, pairs (steps, forward passes for each gradient).

    Raises ValueError where a value is not allowed, naming it.
    """

    network: Network
    gamma: float | None = 0.1
    anneal: bool = False
    eps: float = EPS_CIFAR10
    epochs: int = EXPERIMENT.epochs
    batch: int = BATCH
    images: int = EXPERIMENT.images
    width: int = 64
    schedule: Schedule = SCHEDULE
    seed: int = 0
    kind: Literal["reproduction"] = "reproduction"

    def __post_init__(self) -> None:
        if self.network not in get_args(Network):
            raise ValueError(f"the network must be one of {', '.join(get_args(Network))}, got {self.network!r}")
        if not (isfinite(self.eps) and self.eps > 0):
            raise ValueError(f"eps must be positive and finite, got {self.eps}")
        if self.images < 1:
            raise ValueError(f"at least 1 image must be attacked, got {self.images}")
        _ = self.training, self.attacks  # refuse what they cannot be made of

    @property
    def trained_gamma(self) -> float | None:
        """γ at the end of the training; None is ReLU."""
        return ANNEALED.at(self.epochs) if self.anneal else self.gamma

    @property
    def training(self) -> Training:
        """The recipe, with its change of the learning rate at the same share of the epochs."""
        change = 1 + round(self.epochs * RATE_HOLDS)
        return Training(
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=RATE,
            rate_steps=((change, LATER_RATE),) if change <= self.epochs else (),
            clip=EXPERIMENT.clip,
            gamma=ANNEALED if self.anneal else None,
            seed=self.seed,
            augmentation=Augmentation(),
        )

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Its PGD with the relative step, the same with an absolute one, its DeepFool, and the adaptive attack."""
        steps = EXPERIMENT.pgd_steps
        return (
            Pgd(step=Relative(EXPERIMENT.relative_step), steps=steps),
            Pgd(step=ABSOLUTE_STEP * self.eps / EPS_CIFAR10, steps=steps),
            DeepFool(EXPERIMENT.deepfool_steps, EXPERIMENT.deepfool_candidates),
            Adaptive.scaled(self.eps, self.schedule),
        )

    def spec(self, data: Data) -> ResNet18 | AlexNet:
        """The network that fits the data, before training."""
        gamma: Gamma = ANNEALED.start if self.anneal else self.gamma
        image = data.shape
        if len(image) != 3:
            raise ValueError(f"the network takes images, got inputs of shape {image}")
        kind = ResNet18 if self.network == "resnet18" else AlexNet
        return kind(data.n_classes, (image[0], image[1], image[2]), gamma, self.width)

    def threat(self, data: Data) -> Threat:
        """The ball within the data box."""
        return Threat(self.eps, "linf", *data.box)

    def chosen(self, data: Data) -> tuple[Tensor, Tensor]:
        """The test images that are attacked and their labels, chosen at random by the seed; all if there are fewer."""
        generator = torch.Generator().manual_seed(self.seed)
        rows = torch.randperm(len(data.x_test), generator=generator)[: self.images]
        return torch.tensor(data.x_test[rows.numpy()]), torch.tensor(data.labels_test[rows.numpy()])
