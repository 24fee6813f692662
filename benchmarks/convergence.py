"""How fast a network learns at each γ: `python -m benchmarks.convergence [--json]`, on the digits, over some seeds.

A seed fixes the initial weights, which are the same at every γ and for ReLU, and the order of the examples. The split
of the data is the same throughout, so the spread over seeds is that of training and not that of the test set.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.harness import threads
from benchmarks.report import machine
from kwta.datasets import Data, Digits, load
from kwta.networks import MLP, build
from kwta.training import Epoch, Training, train

GAMMAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, None)  # None is ReLU
SEEDS = (0, 1, 2, 3, 4)
NETWORK = MLP((64, 64, 64, 10))
TRAINING = Training(epochs=20)
SHOWN = (1, 2, 5, 20)  # epochs after which the accuracy is shown
GOAL = 0.95  # test accuracy


@dataclass(frozen=True)
class Course:
    """One training run: test accuracy after each epoch, the 0th included, and the dead units of all layers at its end.

    train_loss: mean cross-entropy in nats on the training examples after the last epoch.
    """

    gamma: float | None
    seed: int
    accuracies: tuple[float, ...]
    train_loss: float
    dead: int

    @property
    def reached(self) -> int | None:
        """The first epoch after which the test accuracy is at least GOAL."""
        return next((epoch for epoch, accuracy in enumerate(self.accuracies) if accuracy >= GOAL), None)


def course(data: Data, gamma: float | None, seed: int, training: Training = TRAINING) -> Course:
    """Train NETWORK at this γ with this seed, on the CPU."""
    net = build(replace(NETWORK, gamma=gamma), seed)
    records = train(net, data, replace(training, seed=seed), device="cpu")
    epochs = [record for record in records if isinstance(record, Epoch)]
    last = epochs[-1]
    return Course(gamma, seed, tuple(e.test_accuracy for e in epochs), last.loss, sum(last.dead))


def courses(gammas: Sequence[float | None] = GAMMAS, seeds: Sequence[int] = SEEDS) -> Iterator[Course]:
    """All runs, the seeds of one γ together, on one thread: so they are the same on every number of cores."""
    data = load(Digits())
    with threads(1):
        for gamma in gammas:
            for seed in seeds:
                yield course(data, gamma, seed)


def table(runs: Sequence[Course]) -> Iterator[str]:
    """The lines of a Markdown table with a row for each γ."""
    yield " | ".join(("| γ", "k of 64", *(f"epoch {e}, %" for e in SHOWN), "epochs to 95 %", "dead of 128 |"))
    yield "|---" * (len(SHOWN) + 4) + "|"
    for gamma in dict.fromkeys(run.gamma for run in runs):
        yield _line([run for run in runs if run.gamma == gamma])


def _line(runs: Sequence[Course]) -> str:
    first = runs[0]
    k = replace(NETWORK, gamma=first.gamma).winners[0]
    accuracies = [_spread([100 * run.accuracies[epoch] for run in runs]) for epoch in SHOWN]
    dead = statistics.fmean(run.dead for run in runs)
    name = "ReLU" if first.gamma is None else f"{first.gamma:g}"
    return " | ".join((f"| {name}", str(k or "–"), *accuracies, _epochs(runs), f"{dead:.1f} |"))


def _spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation over the seeds."""
    return f"{statistics.fmean(values):.1f} ± {statistics.stdev(values):.1f}"


def _epochs(runs: Sequence[Course]) -> str:
    """Mean and range of the epochs to the goal; how many runs got there, if not all."""
    reached = [run.reached for run in runs if run.reached is not None]
    if not reached:
        return "never"
    mean = f"{statistics.fmean(reached):.1f} ({min(reached)}–{max(reached)})"
    return mean if len(reached) == len(runs) else f"{mean}, {len(reached)} of {len(runs)} runs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convergence", description="How fast each γ learns.")
    parser.add_argument("--json", action="store_true", help="print every run as one JSON text instead of a table")
    arguments = parser.parse_args()
    runs = list(courses())
    if arguments.json:
        print(json.dumps({"machine": machine(), "runs": [asdict(run) for run in runs]}, indent=2))
        return
    for line in table(runs):
        print(line)


if __name__ == "__main__":
    main()
