"""What a training run reports."""

from dataclasses import dataclass
from typing import Literal

from kwta.networks.specs import Ratio

Gammas = tuple[Ratio | None, ...]
Reason = Literal["finished", "no progress", "diverged"]


@dataclass(frozen=True)
class Step:
    """One step of the optimiser.

    loss, accuracy: the objective, by default the mean cross-entropy (nats), and the accuracy on the batch, before the
    step. Adversarial training counts its own inputs. gradient_norm: L2, before clipping. gammas: of every hidden layer,
    None is ReLU. seconds: spent in training since its start, without the time during which nobody asked for the next
    record.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    gradient_norm: float
    gammas: Gammas
    seconds: float
    kind: Literal["step"] = "step"


@dataclass(frozen=True)
class Epoch:
    """The network after an epoch; epoch 0 is the network before training.

    loss, train_accuracy: on the first `measure.SAMPLE` training examples or all if fewer. test_accuracy: on all test
    examples. dead: per hidden layer the number of units that won (for ReLU: were positive) for none of those training
    examples.
    """

    epoch: int
    step: int
    loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    dead: tuple[int, ...]
    gammas: Gammas
    learning_rate: float
    seconds: float
    kind: Literal["epoch"] = "epoch"


@dataclass(frozen=True)
class Stopped:
    """The last record: why training ended, in a sentence a person can act on."""

    reason: Reason
    message: str
    epoch: int
    step: int
    seconds: float
    kind: Literal["stopped"] = "stopped"


Record = Step | Epoch | Stopped
