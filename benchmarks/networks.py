"""A training step of ResNet-18 and AlexNet for 32×32 images: k-WTA against ReLU, and against the usual formula.

In the origin's logs (Costa and Antonini, 2020) an epoch took 2:35 with ReLU and 5:15 with k-WTA at γ = 0.2, twice as
long, with that formula; its largest vectors have 65,536 entries here.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.harness import Comparison, compare, threads
from benchmarks.report import Section
from kwta.activation import KWTA
from kwta.networks import AlexNet, ResNet18, Spec, build
from kwta.timing import formula

NETWORKS: tuple[tuple[str, Spec], ...] = (("ResNet-18", ResNet18()), ("AlexNet", AlexNet()))
BATCHES = {"cpu": 16, "cuda": 128}
GAMMA = 0.2
REPETITIONS = 5  # a step takes seconds on one core


class Formula(nn.Module):
    """φ_k over everything after the batch, as it is usually written: y · [y ≥ the k-th largest]."""

    def __init__(self, layer: KWTA) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, y: Tensor) -> Tensor:
        rows = y.flatten(start_dim=1)
        return formula(rows, self.layer.winners(rows.shape[1])).reshape(y.shape)


def with_formula(net: nn.Module) -> nn.Module:
    """A copy of the network with the usual formula in the place of each k-WTA layer."""
    twin = deepcopy(net)
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if isinstance(child, KWTA):
                setattr(module, name, Formula(child))
    return twin


def step(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """The loss of a batch, after its gradients were computed: what a training step costs beside the update."""
    net.zero_grad()
    loss = cross_entropy(net(x), labels)
    loss.backward()
    return loss.detach()


def _devices() -> list[torch.device]:
    return [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


def _step_of(net: nn.Module, device: torch.device) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(0)
    batch = BATCHES[device.type]
    x = torch.rand(batch, 3, 32, 32, generator=generator).to(device)
    return partial(step, net.to(device).train(), x, torch.arange(batch, device=device) % 10)


def _rows(other: Callable[[Spec, nn.Module], nn.Module]) -> Iterator[Comparison]:
    for device in _devices():
        with threads(1 if device.type == "cpu" else torch.get_num_threads()):
            for name, spec in NETWORKS:
                net = build(replace(spec, gamma=GAMMA), 0)
                ours, theirs = _step_of(net, device), _step_of(other(spec, net), device)
                case = f"{name}, batch {BATCHES[device.type]}"
                yield compare(case, ours, theirs, device, repetitions=REPETITIONS)


def sections() -> Iterator[Section]:
    note = f"Forward and backward of one batch with k-WTA, γ = {GAMMA}; ratio = other / ours."
    yield Section("A training step against ReLU", note, _rows(lambda spec, _: build(spec, 0)))
    yield Section("A training step against the usual formula", note, _rows(lambda _, net: with_formula(net)))
