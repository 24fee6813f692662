"""The gradient attack against foolbox's and against its bare passes; the gradient-free one against bare queries."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness import Comparison, compare, threads
from benchmarks.report import Section
from kwta.attacks.averages import differences
from kwta.attacks.gradient import Pgd, pgd
from kwta.attacks.losses import cross_entropy, margin
from kwta.datasets import Digits, load
from kwta.networks import MLP, build
from kwta.threats import Threat

WIDTHS = (64, 256, 256, 10)
GAMMAS = (None, 0.2, 0.05)
THREAT = Threat(0.1)
IMAGES = 256
SPEC = Pgd(step=0.01, steps=40, start="clean")
BARE_TARGET = 1 / 1.3  # at most 1.3 times the time of the passes alone

QUERIES = 10_000  # forward passes for one gradient of one image
ATTACKED = 4
CHUNKS = (512, 1_024, QUERIES)  # points of one bare forward pass: where the cache holds them, and one image at once
SIGMA = 0.1
QUERY_TARGET = 0.9


def _network(gamma: float | None) -> nn.Module:
    return build(MLP(WIDTHS, gamma=gamma), seed=0).eval()


def _digits(n: int) -> tuple[Tensor, Tensor]:
    data = load(Digits())
    return torch.tensor(data.x_test[:n]), torch.tensor(data.labels_test[:n])


def _devices() -> list[torch.device]:
    return [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


def _case(gamma: float | None) -> str:
    return "ReLU" if gamma is None else f"γ = {gamma}"


def _foolbox(net: nn.Module, x: Tensor, labels: Tensor) -> Callable[[], object]:
    """foolbox's loop with the same start and step, without its judging."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # its model zoo, unused, wants git
    import foolbox

    model = foolbox.models.pytorch.PyTorchModel(net, bounds=(THREAT.low, THREAT.high), device=x.device)
    attack = foolbox.attacks.projected_gradient_descent.LinfProjectedGradientDescentAttack(
        abs_stepsize=SPEC.sizes(THREAT.eps)[0], steps=SPEC.steps, random_start=False
    )
    return partial(attack.run, model, x, foolbox.criteria.Misclassification(labels), epsilon=THREAT.eps)


def _bare_passes(net: nn.Module, x: Tensor, labels: Tensor) -> None:
    """Forward and backward, as often as the attack needs them, and nothing else."""
    for _ in range(SPEC.steps):
        here = x.detach().requires_grad_()
        torch.autograd.grad(cross_entropy(net(here), labels).sum(), here)


def _pgd(against: Callable[[nn.Module, Tensor, Tensor], Callable[[], object]], target: float) -> Iterator[Comparison]:
    for device in _devices():
        with threads(1):
            for gamma in GAMMAS:
                net = _network(gamma).to(device)
                x, labels = (values.to(device) for values in _digits(IMAGES))
                ours = partial(pgd, SPEC, net, x, labels, THREAT, torch.Generator(device).manual_seed(0))
                yield compare(_case(gamma), ours, against(net, x, labels), device, target)


def _around(x: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """n points of the attack's law: how long k-WTA takes depends on its inputs, and on whether they repeat."""
    centres = x.repeat(n // len(x), 1, 1, 1)
    return centres + SIGMA * torch.randn(centres.shape, generator=generator, device=x.device)


def _bare_queries(net: nn.Module, points: Tensor) -> None:
    """As many forward passes, so many points at once, and nothing else."""
    with torch.no_grad():
        for start in range(0, ATTACKED * QUERIES, len(points)):
            net(points[: ATTACKED * QUERIES - start])


def _queries() -> Iterator[Comparison]:
    for device in _devices():
        with threads(1):
            for gamma in GAMMAS:
                net = _network(gamma).to(device)
                x, labels = (values.to(device) for values in _digits(ATTACKED))
                generator = torch.Generator(device).manual_seed(0)
                ours = partial(differences, net, margin, SIGMA, generator, x, labels, QUERIES // 2)
                for chunk in CHUNKS if device.type == "cpu" else (ATTACKED * QUERIES,):
                    bare = partial(_bare_queries, net, _around(x, chunk, generator))
                    yield compare(f"{_case(gamma)}, by {chunk:,}", ours, bare, device, QUERY_TARGET)


def sections() -> Iterator[Section]:
    what = f"PGD-{SPEC.steps} on {IMAGES} digits, an MLP {WIDTHS}"
    yield Section("PGD and foolbox's", f"{what}: ours against foolbox's.", _pgd(_foolbox, 1.0))
    bare = f"{what}: against {SPEC.steps} bare forward and backward passes; 0.77 is 1.3 times their time."
    yield Section("PGD and its bare passes", bare, _pgd(lambda *given: partial(_bare_passes, *given), BARE_TARGET))
    note = f"A gradient of {QUERIES:,} queries for each of {ATTACKED} digits against as many bare ones at such points."
    yield Section("The adaptive attack and its bare queries", note, _queries())
