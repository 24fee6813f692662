"""foolbox, kept at a distance.

It gets a frozen copy of the network, for it differentiates with `backward`, which would leave gradients in the weights
that other threads read. It works in [0, 1], for HopSkipJump clips to that whatever the data box is. And what it draws
from PyTorch's global generator is drawn from ours instead, in this thread alone. It is imported when an attack runs,
for that takes seconds.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn
from torch.overrides import TorchFunctionMode

from kwta.attacks.proposal import Proposal
from kwta.patterns.winners import evaluating
from kwta.threats import Threat


class Seen(nn.Module):
    """A frozen copy of a network, on inputs that fill [0, 1]; its forward and backward passes are counted."""

    def __init__(self, net: nn.Module, threat: Threat) -> None:
        super().__init__()
        self.net = deepcopy(evaluating(net)).requires_grad_(False)
        self.low, self.width = threat.low, threat.high - threat.low
        self.calls = self.backwards = 0
        self.eval()

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch classes"]:
        """f at the inputs' places in the data box."""
        self.calls += 1
        self.backwards += x.requires_grad
        return self.net(self.from_unit(x))

    def to_unit(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """From the data box to [0, 1]."""
        return ((x - self.low) / self.width).clamp(0, 1)

    def from_unit(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """From [0, 1] to the data box."""
        return self.low + self.width * x


# (network in [0, 1], inputs in [0, 1]) -> what was found there, and how often the network was asked for each input
Search = Callable[[Seen, Tensor], tuple[Tensor, Int64[Tensor, "batch"]]]


def sought(
    search: Search, net: nn.Module, x: Float[Tensor, "batch *shape"], threat: Threat, generator: Generator
) -> Proposal:
    """What a search finds in [0, 1], brought back to ball and box.

    Where it finds nothing, or nothing new, the input stays: rounding to [0, 1] and back must not count as a change.
    """
    if not len(x):
        none = torch.zeros(0, dtype=torch.int64)
        return Proposal(x, none, none)
    seen = Seen(net, threat)
    unit = seen.to_unit(x)
    with _drawing_from(generator):
        found, queries = search(seen, unit)
    rows = found.reshape(len(x), -1)
    moved = (rows != unit.reshape(len(x), -1)).any(dim=1) & torch.isfinite(rows).all(dim=1)
    proposed = torch.where(moved.reshape(-1, *[1] * (x.ndim - 1)), seen.from_unit(found), x)
    return Proposal(threat.project(proposed, x), queries, torch.full_like(queries, seen.backwards))


def run(attack: Any, seen: Seen, unit: Tensor, labels: Tensor, **options: Any) -> Tensor:
    """The loop of one of foolbox's attacks, without its judging."""
    from foolbox.criteria import Misclassification
    from foolbox.models.pytorch import PyTorchModel

    return attack.run(PyTorchModel(seen, (0, 1), unit.device), unit, Misclassification(labels), **options)


class _Drawn(TorchFunctionMode):
    """torch.rand and torch.randn without a generator draw from this one; only in the thread that has entered."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: Sequence = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func not in (torch.rand, torch.randn) or options.get("generator") is not None:
            return func(*args, **options)
        device = options.pop("device", None)
        return func(*args, **options, generator=self.generator, device=self.generator.device).to(device)


@contextmanager
def _drawing_from(generator: Generator) -> Iterator[None]:
    """foolbox, imported, with its draws from the generator."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # its model zoo, unused here, refuses to load without git
    import foolbox  # noqa: F401  (before the mode: what an import draws is no part of an attack)

    with _Drawn(generator):
        yield
