"""What others published about k-WTA's robustness, as tables; and the slip of a relative step, on the network at hand.

The figures of others come from `kwta.published`, each with its source. The slip is measured here: PGD's forty steps on
the same test inputs, once with steps of 0.003 ε, as the origin's code had them by mistake, once of ε/10.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import streamlit as st
import torch

from app.compute import Unusable, data, python_lines
from app.compute.trained import Snapshot, Which
from app.compute.words import short
from kwta import published
from kwta.attacks.gradient import Pgd, Relative, climb
from kwta.attacks.interval import wilson
from kwta.published import EXPERIMENT, Figure, Row, Statement
from kwta.threats import Threat

# A step is ε / STRIDES where it is not the published share: forty of them can cross the ball twice, and turn back.
STRIDES = 10
RULES = {
    "relative": f"relative: {EXPERIMENT.relative_step:g} · ε, as published",
    "absolute": f"absolute: ε/{STRIDES}",
}
STEPS = EXPERIMENT.pgd_steps
# Test inputs attacked: enough for an interval of ± 7 %, few enough for an answer within the second.
IMAGES = 200
# ε where nothing was published for the data: this share of the data box.
USUAL = 0.1
KEPT = 64
NETWORKS = {"alexnet": "AlexNet", "resnet18": "ResNet-18"}


@dataclass(frozen=True)
class Slip:
    """A question: one network, as far as it is trained, under forty steps of PGD in L∞ from the inputs themselves."""

    which: Which
    frames: int
    eps: float
    rule: str
    kind: Literal["slip"] = "slip"


@dataclass(frozen=True, eq=False)
class Course:
    """right [steps + 1]: how many of n inputs the network has right after each step. moved: mean ‖δ‖∞ / ε there."""

    asked: Slip
    n: int
    right: np.ndarray
    moved: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """The percentage that is right, after each step."""
        return 100 * self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the percentage after the last step."""
        low, high = wilson(int(self.right[-1]), self.n)
        return 100 * low, 100 * high

    @property
    def name(self) -> str:
        """Which activation."""
        gamma = self.asked.which.recipe.net.gamma
        return "ReLU" if gamma is None else f"k-WTA, γ = {_gamma(gamma)}"


def usual_eps(name: str) -> float:
    """The published ε of these data, else a tenth of the data box; to three decimals, as the control has it."""
    low, high = data.data(name).box
    return round(published.radius(name) or USUAL * (high - low), 3)


def most_eps(name: str) -> float:
    """The largest ε on offer, the width of the data box."""
    low, high = data.data(name).box
    return float(np.floor(1000 * (high - low)) / 1000)


def eps_reader(name: str):
    """A reader of ε for a table of controls: above 0, at most the width of the data box."""
    most = most_eps(name)

    def read(text: str) -> float:
        try:
            value = round(float(text), 3)
        except (ValueError, OverflowError):
            value = float("nan")
        if not 0 < value <= most:
            raise ValueError(f"ε must be a number from 0.001 to {most:g}, got {short(text)}")
        return value

    return read


def course(snapshot: Snapshot, eps: float, rule: str) -> Course:
    """What forty steps by this rule do to the network now."""
    return _course(Slip(snapshot.which, snapshot.frames, eps, rule), snapshot)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _course(asked: Slip, _snapshot: Snapshot) -> Course:
    known = data.data(asked.which.recipe.data)
    low, high = known.box
    x, labels = torch.tensor(known.x_test[:IMAGES]), torch.tensor(known.labels_test[:IMAGES])
    try:
        threat = Threat(asked.eps, "linf", float(low), float(high))
        places = climb(attack(asked), _snapshot.net, x, labels, threat, torch.Generator().manual_seed(0))
        seen = [(place.seen.logits.argmax(dim=1) == labels, threat.distance(place.x, x)) for place in places]
    except ValueError as error:
        raise Unusable(f"the network cannot be attacked: {error}") from error
    right = np.array([int(fits.sum()) for fits, _ in seen])
    return Course(asked, len(x), right, np.array([float(moved.mean()) / asked.eps for _, moved in seen]))


def attack(asked: Slip) -> Pgd:
    """Forty steps by the rule of the question, from the inputs themselves."""
    step = Relative(EXPERIMENT.relative_step) if asked.rule == "relative" else asked.eps / STRIDES
    return Pgd(step=step, steps=STEPS, start="clean")


def in_words(courses: tuple[Course, ...], others: tuple[Course, ...]) -> str:
    """What the switch does, in the numbers of this page. `others`: the same networks by the other rule."""
    pairs = {courses[0].asked.rule: courses, others[0].asked.rule: others}
    told = []
    for slip, absolute in zip(pairs["relative"], pairs["absolute"], strict=True):
        told.append(
            f"**{slip.name}**: {slip.share[0]:.1f} % right without attack; after {STEPS} steps "
            f"{_measured(slip)} with the relative step, {_measured(absolute)} with the absolute one"
        )
    reach = max(float(one.moved[-1]) for one in pairs["relative"])
    return (
        f"{'; '.join(told)}. {courses[0].n} test inputs, L∞, ε = {courses[0].asked.eps:g}, brackets: Wilson 95 %. With "
        f"the relative step the inputs have moved {100 * reach:.0f} % of ε when the attack ends."
    )


def _measured(found: Course) -> str:
    low, high = found.interval
    return f"{found.share[-1]:.1f} % [{low:.1f}, {high:.1f}]"


def _gamma(gamma) -> str:
    values = gamma if isinstance(gamma, tuple) else (gamma,)
    return ", ".join(dict.fromkeys("ReLU" if value is None else f"{float(value):g}" for value in values))


def story() -> list[Statement]:
    """How the claim was made and how it was refuted, in order."""
    return list(published.STATEMENTS)


def figures() -> list[dict]:
    """Published robust accuracies, one row for each."""
    return [_figure(figure) for figure in published.FIGURES]


def _figure(figure: Figure) -> dict:
    return {
        "model": f"{figure.model}, {figure.training} training",
        "data": figure.data,
        "ε (L∞)": figure.eps,
        "judged by": figure.judged_by,
        "clean %": figure.clean,
        "robust %": figure.robust,
        "source": str(figure.source),
    }


def origin() -> list[dict]:
    """The origin's table, one row for each network, data set and activation."""
    return [_row(row) for row in published.ORIGIN_TABLE]


def _row(row: Row) -> dict:
    return {
        "network": NETWORKS[row.network]
        + (", pretrained" if row.pretrained else "")
        + (" (its training failed)" if row.failed else ""),
        "data": row.data,
        "activation": "ReLU" if row.gamma is None else f"k-WTA, γ = {row.gamma:g}",
        "clean %": row.clean,
        "PGD %": row.pgd,
        "DeepFool %": row.deepfool,
    }


def snippet(which: Which, eps: float, rule: str) -> str:
    """Python lines that measure the same; they run as they stand."""
    low, high = data.data(which.recipe.data).box
    asked = Slip(which, 0, eps, rule)
    lines = [
        *python_lines.imports(
            which,
            "import torch",
            "from kwta.attacks.gradient import Pgd, Relative, climb",
            "from kwta.threats import Threat",
        ),
        *python_lines.network(which),
        "",
        f"x = torch.tensor(data.x_test[:{IMAGES}])",
        f"labels = torch.tensor(data.labels_test[:{IMAGES}])",
        f"threat = Threat({eps!r}, low={float(low)!r}, high={float(high)!r})",
        f"attack = {_written(attack(asked))}",
        "for place in climb(attack, net, x, labels, threat, torch.Generator().manual_seed(0)):",
        "    right = (place.seen.logits.argmax(dim=1) == labels).sum().item()",
        f"    moved = threat.distance(place.x, x).mean().item() / {eps!r}",
        '    print(f"step {place.index}: {right} of {len(x)} right, moved {moved:.3f} eps")',
    ]
    return "\n".join(line for line in lines if line != "import numpy as np").lstrip("\n") + "\n"


def _written(spec: Pgd) -> str:
    step = replace(spec).step
    size = f"Relative({step.share_of_eps!r})" if isinstance(step, Relative) else repr(step)
    return f'Pgd(step={size}, steps={spec.steps}, start="clean")'
