"""How good a network is on examples, and which of its units never take part."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kwta.networks import hidden, won

# Training examples on which loss and accuracy are reported after every epoch: standard error of an accuracy about 1 %.
SAMPLE = 2000
# Examples per forward pass.
BATCH = 500


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats, accuracy in 0..1, and per hidden layer the units that were never active."""

    loss: float
    accuracy: float
    dead: tuple[int, ...]


@contextmanager
def in_evaluation_mode(net: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards each of its modules is in the mode it was in."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class _Usage:
    """Forward hooks that note which units were active for some example."""

    def __init__(self, net: nn.Module) -> None:
        self.active: dict[str, Tensor] = {}
        self.handles = [
            module.register_forward_pre_hook(self._note(name), with_kwargs=True) for name, module in hidden(net)
        ]

    def _note(self, name: str):
        def note(module: nn.Module, args: tuple, kwargs: dict) -> None:
            y = next(iter((*args, *kwargs.values())))
            seen = won(module, y).any(dim=0)
            self.active[name] = self.active[name] | seen if name in self.active else seen

        return note

    def dead(self) -> tuple[int, ...]:
        return tuple(int((~active).sum()) for active in self.active.values())

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def evaluate(net: nn.Module, x: Float[Tensor, "n ..."], labels: Int[Tensor, " n"], batch: int = BATCH) -> Evaluation:
    """Loss, accuracy and dead units of the network on all examples given, in evaluation mode; its modes are kept."""
    loss, right = 0.0, 0
    with in_evaluation_mode(net), closing(_Usage(net)) as usage:
        for part, truth in zip(x.split(batch), labels.split(batch), strict=True):
            logits = net(part)
            loss += float(cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(dim=1) == truth).sum())
    return Evaluation(loss / len(x), right / len(x), usage.dead())
