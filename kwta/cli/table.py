"""The origin's table with a column of ours: accuracies in percent, published ones marked as theirs."""

from collections.abc import Iterator
from typing import Any

from kwta.attacks.evaluate import Robustness
from kwta.attacks.gradient import Pgd
from kwta.published import EXPERIMENT, ORIGIN, Row
from kwta.reproduction import Reproduction

NAME, OURS, THEIRS = 28, 24, 9  # widths of the columns
NONE = "–"


def lines(plan: Reproduction, found: Robustness, rows: tuple[Row, ...], data: str) -> Iterator[str]:
    """A line for each attack: ours with its interval, then theirs for each γ; a dash where they have no figure."""
    yield ""
    yield f"{plan.network} on {data}: accuracy in % within {found.threat.eps:g} in L∞, ours on {found.n:,} images"
    yield f"{'':<{NAME}}{f'ours, {_activation(plan.trained_gamma)}':>{OURS}}" + _theirs(
        [_activation(row.gamma) for row in rows], "  theirs (logs)"
    )
    yield _line("clean", _cell(found.accuracy, found.interval), [row.clean for row in rows])
    for spec, outcome in zip(plan.attacks, found.attacks, strict=True):
        ours = _cell(outcome.robust_accuracy, outcome.interval)
        yield _line(_named(spec, plan.eps), ours, [_published(row, outcome.name) for row in rows])
    yield _line("worst case", _cell(found.worst_case, found.worst_interval), [None] * len(rows))
    yield "In brackets: Wilson 95 % intervals."
    yield from _notes(plan, rows, data)


def document(found: Robustness) -> dict[str, Any]:
    """Our column for programs."""
    attacks = {
        outcome.name: {
            "robust_accuracy": outcome.robust_accuracy,
            "interval": outcome.interval,
            "queries": outcome.mean_queries,
            "seconds": outcome.seconds,
        }
        for outcome in found.attacks
    }
    return {
        "images": found.n,
        "accuracy": found.accuracy,
        "interval": found.interval,
        "attacks": attacks,
        "worst_case": found.worst_case,
        "worst_interval": found.worst_interval,
    }


def _notes(plan: Reproduction, rows: tuple[Row, ...], data: str) -> Iterator[str]:
    if not rows:
        yield f"The published table ({ORIGIN}) has no row for {plan.network} on {data}."
        return
    yield f"Theirs: {ORIGIN}; {EXPERIMENT.images:,} images, layouts for 224×224."
    yield from (f"Their {_activation(row.gamma)} column is a training that failed." for row in rows if row.failed)


def _published(row: Row, attack: str) -> float | None:
    """Their figure for one of our attacks, by its name."""
    return {"pgd-relative": row.pgd, "deepfool": row.deepfool}.get(attack)


def _named(spec: Any, eps: float) -> str:
    """An attack in words; PGD with the size of its step, in shares of ε or in the units of the inputs."""
    if not isinstance(spec, Pgd):
        return "DeepFool" if spec.name == "deepfool" else str(spec.name)
    (size, *_) = spec.sizes(eps)
    return f"PGD, step {size:.2g}" + (f" ({size / eps:g} ε)" if spec.name == "pgd-relative" else "")


def _line(name: str, ours: str, theirs: list[float | None]) -> str:
    return f"{name:<{NAME}}{ours:>{OURS}}" + _theirs([NONE if f is None else f"{f:.2f}" for f in theirs])


def _theirs(cells: list[str], after: str = "") -> str:
    return "".join(f"{cell:>{THEIRS}}" for cell in cells) + (after if cells else "")


def _cell(accuracy: float, interval: tuple[float, float]) -> str:
    low, high = (100 * bound for bound in interval)
    return f"{100 * accuracy:.2f} [{low:.1f}, {high:.1f}]"


def _activation(gamma: float | None) -> str:
    return "ReLU" if gamma is None else f"γ {gamma:g}"
