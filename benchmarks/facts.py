"""Facts about jumps and regions, measured: `python -m benchmarks.facts [--seeds N] [--quick] [--json]`.

How large the jumps are at each γ on random networks, how many regions there are beside ReLU, where the minimum lies
after training on the digits, and how many regions of a ReLU network a grid misses. Medians are over borders, each
counting once; `by length` says that each counts by its length instead.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite

import numpy as np

from benchmarks.harness import threads
from benchmarks.report import machine
from kwta import jumps, slices
from kwta.activation import winners
from kwta.datasets import Data, Digits, load
from kwta.networks import MLP, Network, build
from kwta.regions import grid, plane
from kwta.regions.stages import Stages, stages
from kwta.slices import Slice
from kwta.training import Training, train

GAMMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SEEDS = (0, 1, 2, 3, 4)
RANDOM = MLP((2, 64, 64, 64, 1), init="he")
SQUARE = slices.square(-1, 1, -1, 1)
TRAINED = MLP((64, 64, 64, 10))
TRAINING = Training(epochs=20)
ADAM = Training(epochs=30, optimiser="adam", learning_rate=1e-3)
PLANES = 3  # through three digits each
GRIDS = (MLP((2, 32, 32, 1), init="he"), MLP((2, 64, 64, 64, 1), init="he"), MLP((2, 256, 256, 256, 1), init="he"))
RESOLUTION = 2000
COLUMNS = ("γ", "regions", "median jump", "by length", "of the spread", "median value", "negative, %", "test, %")


@dataclass(frozen=True)
class Along:
    """One network at one γ (None: ReLU): what its borders on one plane are like.

    jump, by_length: the median ‖jump‖₂ of the borders' middles. spread: of f on the plane. value: the median |v|.
    negative: the share of borders with v < 0. accuracy: on the test set, where it was trained.
    """

    case: str
    gamma: float | None
    seed: int
    regions: int
    jump: float
    by_length: float
    spread: float
    value: float
    negative: float
    accuracy: float | None = None

    @property
    def relative(self) -> float:
        return self.jump / self.spread


@dataclass(frozen=True)
class Grid:
    """How many regions of a ReLU network a grid of resolution² points meets."""

    widths: tuple[int, ...]
    seed: int
    regions: int
    met: int

    @property
    def missed(self) -> float:
        return 1 - self.met / self.regions


def along(case: str, steps: Stages, where: Slice, gamma: float | None, seed: int, accuracy=None) -> Along:
    """One network's borders on a plane, in numbers."""
    found = plane.of_stages(steps, where)
    borders = jumps.borders(found)
    value = jumps.values(borders, steps).mean(axis=1)
    size = borders.middle_sizes()
    spread = jumps.spread(found)
    long = float(borders.summary().quantiles[2])
    jump, level = _median(size), _median(np.abs(value))
    negative = float((value < 0).mean()) if len(value) else float("nan")
    return Along(case, gamma, seed, len(found), jump, long, spread, level, negative, accuracy)


def _median(values: np.ndarray) -> float:
    """The median; NaN of nothing, as where a plane has one region."""
    return float(np.median(values)) if len(values) else float("nan")


def random_networks(gammas: Sequence[float | None], seeds: Sequence[int]) -> Iterator[Along]:
    """RANDOM with the weights of each seed, at every γ and with ReLU, on [−1, 1]²."""
    for seed in seeds:
        for gamma in gammas:
            steps = stages(build(replace(RANDOM, gamma=gamma), seed).eval(), SQUARE)
            yield along("random", steps, SQUARE, gamma, seed)


def trained_networks(gammas: Sequence[float], seeds: Sequence[int]) -> Iterator[Along]:
    """TRAINED on the digits at each γ; and trained once, after which γ is varied. Planes through three test digits."""
    data = load(Digits())
    for seed in seeds:
        for gamma in gammas:
            net, accuracy = _trained(data, gamma, seed, TRAINING)
            yield from _on_digits("digits, SGD at each γ", net, data, gamma, seed, accuracy)
        for case, trained_at, training in (
            ("digits, SGD at γ = 0.2, then γ varied", 0.2, TRAINING),
            ("digits, Adam with ReLU, then γ varied", None, ADAM),
        ):
            net, _ = _trained(data, trained_at, seed, training)
            for gamma in gammas:
                yield from _on_digits(case, net, data, gamma, seed, None)


def _trained(data: Data, gamma: float | None, seed: int, training: Training) -> tuple[Network, float]:
    net = build(replace(TRAINED, gamma=gamma), seed)
    accuracy = 0.0
    for record in train(net, data, replace(training, seed=seed), device="cpu"):
        accuracy = record.test_accuracy if record.kind == "epoch" else accuracy
    return net.eval(), accuracy


def _on_digits(case: str, net: Network, data: Data, gamma: float, seed: int, accuracy: float | None) -> Iterator[Along]:
    chosen = np.random.default_rng(seed).choice(len(data.x_test), (PLANES, 3), replace=False)
    for three in chosen:
        where = slices.through(*data.x_test[three].astype(np.float64))
        steps = stages(net, where, data.shape)
        layers = tuple(replace(layer, k=winners(gamma, len(layer.bias))) for layer in steps.hidden)
        yield along(case, Stages(layers, steps.weight, steps.bias), where, gamma, seed, accuracy)


def grids(specs: Sequence[MLP] = GRIDS, seeds: Sequence[int] = (0, 1), resolution: int = RESOLUTION) -> Iterator[Grid]:
    """What a grid meets of the exact regions of ReLU networks."""
    for spec in specs:
        for seed in seeds:
            net = build(spec, seed).eval()
            met = grid.counts(net, SQUARE, resolution, "cpu").n_patterns
            yield Grid(spec.widths, seed, len(plane.cells(net, SQUARE)), met)


def curve(found: Sequence[Along], case: str) -> Iterator[str]:
    """The lines of a Markdown table with a row for each γ: medians over seeds and planes."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    rows = [row for row in found if row.case == case]
    for gamma in dict.fromkeys(row.gamma for row in rows):
        here = [row for row in rows if row.gamma == gamma]
        yield _line("ReLU" if gamma is None else f"{gamma:g}", here)


def _line(name: str, rows: Sequence[Along]) -> str:
    regions = [row.regions for row in rows]
    numbers = [_middle(pick(row) for row in rows) for pick in (_jump, _by_length, _relative, _value)]
    negative = _middle(row.negative for row in rows)
    right = [row.accuracy for row in rows if row.accuracy is not None]
    cells = [
        name,
        f"{statistics.median(regions):,.0f} ({min(regions):,}–{max(regions):,})",
        *(f"{number:.2g}" for number in numbers),
        f"{100 * negative:.0f}",
        f"{100 * statistics.fmean(right):.1f}" if right else "–",
    ]
    return f"| {' | '.join(cells)} |"


def _middle(values: Iterable[float]) -> float:
    """The median of those that are numbers."""
    known = [value for value in values if isfinite(value)]
    return statistics.median(known) if known else float("nan")


def _jump(row: Along) -> float:
    return row.jump


def _by_length(row: Along) -> float:
    return row.by_length


def _relative(row: Along) -> float:
    return row.relative


def _value(row: Along) -> float:
    return row.value


def minima(found: Sequence[Along], case: str) -> list[float]:
    """For each seed the γ at which its median jump, over its planes, is smallest."""
    rows = [row for row in found if row.case == case and row.gamma is not None]
    best = []
    for seed in dict.fromkeys(row.seed for row in rows):
        medians = {
            gamma: _middle(row.jump for row in rows if row.seed == seed and row.gamma == gamma)
            for gamma in dict.fromkeys(row.gamma for row in rows)
        }
        best.append(min(medians, key=medians.__getitem__))
    return [float(gamma or 0) for gamma in best]


def report(found: Sequence[Along], sampled: Sequence[Grid]) -> Iterator[str]:
    """All tables."""
    for case in dict.fromkeys(row.case for row in found):
        seeds = len({row.seed for row in found if row.case == case})
        yield f"\n{case}: {seeds} seeds; smallest median jump at γ = {', '.join(f'{g:g}' for g in minima(found, case))}"
        yield from curve(found, case)
    if sampled:
        yield f"\nReLU regions that a grid of {RESOLUTION}² points misses"
    for row in sampled:
        name = "-".join(map(str, row.widths))
        yield f"{name}, seed {row.seed}: {row.regions:,} regions, {row.met:,} met, {100 * row.missed:.1f} % missed"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.facts", description="Facts about jumps and regions.")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds of each network")
    parser.add_argument("--quick", action="store_true", help="random networks only")
    parser.add_argument("--json", action="store_true", help="print every measurement as one JSON text instead")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    with threads(1):
        found = list(random_networks((*GAMMAS, None), seeds))
        if not arguments.quick:
            found += trained_networks(GAMMAS, seeds)
        sampled = [] if arguments.quick else list(grids())
    if arguments.json:
        rows = [asdict(row) for row in (*found, *sampled)]
        print(json.dumps({"machine": machine(), "measured": rows}, indent=2))
        return
    print("\n".join(report(found, sampled)))


if __name__ == "__main__":
    main()
