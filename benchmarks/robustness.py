"""What k-WTA is worth under attack: `python -m benchmarks.robustness [--data digits mnist] [--standard] [--json]`.

For ReLU and several γ the same network is trained with the same recipe and attacked with the same ensemble on the same
images, none of which it was trained on. The ReLU network is the twin that the others' transfer attack comes from; for
itself, one of another seed. The adaptive attack has the standard ensemble's 50,000 queries: in hundreds of dimensions
4,000 tell little. Of the 1,797 digits a quarter of each class is held out by a seed of its own, which gives 450; of
MNIST's test images the first 450 are attacked.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from numpy import arange, concatenate, ndarray
from sklearn.model_selection import train_test_split
from torch import Tensor

from benchmarks.harness import threads
from benchmarks.report import machine
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.ensembles import SHORT, Spec, adaptive, quick, standard
from kwta.attacks.evaluate import evaluate
from kwta.attacks.interval import wilson
from kwta.attacks.masking import Masking, diagnosed
from kwta.attacks.outcomes import Outcome, Robustness
from kwta.datasets import Data, Digits, Images, load
from kwta.datasets import Spec as DataSpec
from kwta.networks import CNN, Network, build
from kwta.threats import Threat
from kwta.training import Training, train

GAMMAS = (None, 0.2, 0.1, 0.05)  # None is ReLU
N = 450
HELD_OUT = 0.25  # of the digits, for 400 test images and more
EPS = 0.1  # at MNIST's usual 0.3 no network trained on plain images has anything left to compare
SHOWN = ("fgsm", "noise", "pgd", "transfer", "square", "hopskipjump", "pgd-neighbours", "adaptive")


@dataclass(frozen=True)
class Case:
    """A data set with the network and the recipe for it."""

    data: DataSpec
    network: CNN
    training: Training


CASES = {
    # After 15 epochs the accuracy at γ = 0.05 still swings.
    "digits": Case(Digits(), CNN((1, 8, 8), (16, 32), 10, hidden=(128,)), Training(epochs=30)),
    "mnist": Case(Images("mnist", train=10_000), CNN((1, 28, 28), (4, 8), 10, hidden=(64,)), Training(epochs=5)),
}


@dataclass(frozen=True, eq=False)
class Row:
    """One network under attack."""

    data: str
    gamma: float | None
    found: Robustness
    masking: Masking


def data_of(case: Case) -> Data:
    """The case's data; digits are split anew, a quarter of each class for the test."""
    data = load(case.data)
    if not isinstance(case.data, Digits):
        return data
    x = concatenate([data.x_train, data.x_test])
    labels = concatenate([data.labels_train, data.labels_test])
    train, test = train_test_split(arange(len(x)), test_size=HELD_OUT, stratify=labels, random_state=0)
    return Data(case.data, x[train], labels[train], x[test], labels[test], data.classes, data.box)


def ensemble(full: bool, threat: Threat, d: int) -> tuple[Spec, ...]:
    """The attacks."""
    if full:
        return standard(threat, d)
    others = [spec for spec in quick(threat, d) if not isinstance(spec, Adaptive)]
    return (*others, adaptive(threat, d, SHORT))


def trained(case: Case, data: Data, gamma: float | None, seed: int) -> Network:
    """The case's network at this γ."""
    net = build(replace(case.network, gamma=gamma), seed)
    for _ in train(net, data, replace(case.training, seed=seed), device="cpu"):
        pass
    return net.eval()


def images(x: ndarray, labels: ndarray, n: int) -> tuple[Tensor, Tensor]:
    """The first n test images; of fewer, all."""
    return torch.tensor(x[:n]), torch.tensor(labels[:n])


def rows(name: str, full: bool, n: int = N, gammas: Sequence[float | None] = GAMMAS) -> Iterator[Row]:
    """Train and attack, network by network; the ReLU twins first."""
    case = CASES[name]
    data = data_of(case)
    x, labels = images(data.x_test, data.labels_test, n)
    threat = Threat(EPS, "linf", *data.box)
    attacks = ensemble(full, threat, prod(data.shape))
    relu, other = (trained(case, data, None, seed) for seed in (0, 1))
    for gamma in gammas:
        net, twin = (relu, other) if gamma is None else (trained(case, data, gamma, 0), relu)
        for record in evaluate(net, x, labels, threat, attacks, twin=twin):
            if isinstance(record, Outcome):
                print(f"{name} γ {gamma}: {record.name} {_told(record.robust)}", file=sys.stderr)
            if isinstance(record, Robustness):
                yield Row(name, gamma, record, diagnosed(net, x, labels, record))


def table(found: Sequence[Row]) -> Iterator[str]:
    """The lines of a Markdown table with a row for each network: % of the images that stay right, and its interval."""
    yield " | ".join(("| data", "γ", "clean", *SHOWN, "worst case", "verdict |"))
    yield "|---" * (len(SHOWN) + 5) + "|"
    for row in found:
        columns = {outcome.name: outcome.robust for outcome in row.found.attacks}
        shares = (row.found.correct, *(columns[name] for name in SHOWN), row.found.robust)
        gamma = "ReLU" if row.gamma is None else f"{row.gamma:g}"
        yield " | ".join((f"| {row.data}", gamma, *map(_told, shares), f"{row.masking.verdict} |"))


def _told(robust: ndarray) -> str:
    low, high = wilson(int(robust.sum()), len(robust))
    return f"{100 * robust.mean():.1f} ({100 * low:.0f}–{100 * high:.0f})"


def document(found: Sequence[Row]) -> list[dict]:
    """The rows for programs."""
    return [
        {
            "data": row.data,
            "gamma": row.gamma,
            "images": row.found.n,
            "eps": row.found.threat.eps,
            "accuracy": row.found.accuracy,
            "attacks": {
                o.name: {"robust_accuracy": o.robust_accuracy, "interval": o.interval, "queries": o.mean_queries}
                for o in row.found.attacks
            },
            "worst_case": row.found.worst_case,
            "worst_interval": row.found.worst_interval,
            "verdict": row.masking.verdict,
            "evidence": [{"name": e.name, "speaks": e.speaks, "sentence": e.sentence} for e in row.masking.evidence],
        }
        for row in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description="ReLU and k-WTA under attack.")
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES), help="data sets (default: all)")
    parser.add_argument("--standard", action="store_true", help="the full budgets, for hours; default: the quick ones")
    parser.add_argument("--json", action="store_true", help="print one JSON text instead of a table")
    arguments = parser.parse_args()
    with threads(1):  # small networks: two threads mostly wait for each other
        found = [row for name in arguments.data for row in rows(name, arguments.standard)]
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": document(found)}, indent=2))
        return
    for line in table(found):
        print(line)


if __name__ == "__main__":
    main()
