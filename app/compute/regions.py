"""The exact regions of a network on a plane for every rung of γ: made once in the background, shared by all viewers."""

import threading
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
import streamlit as st

from app.compute import Unusable, data, planes, region_block, trained
from app.compute.planes import Choice
from app.compute.trained import Snapshot, Which
from kwta.activation import winners
from kwta.regions import plane
from kwta.regions.cells import Cells
from kwta.regions.stages import Stages, stages
from kwta.slices import Slice

WEIGHTS = {"he": "Untrained (He)", "untrained": "Untrained", "trained": "Trained"}
# Regions of one picture: more than a screen can show, and what a browser still draws in a blink.
LIMIT = 60_000
# Entries of all matrices between layers times regions: about two seconds of work. Wide networks get fewer regions.
WORK = 5_000_000_000
# In a layer of n units a region costs about as much as n³ / SEARCH entries, for its neighbours are looked for.
SEARCH = 256
FEWEST = 200
# Units of a layer at most: all cells of one layer are found before the next, however few are wanted in the end.
WIDEST = 1024
# Rungs of γ at most; wider layers have every second k, or every third …
MOST_RUNGS = 128
# Seconds for which a ladder is made after the last page has asked for it.
PATIENCE = 1.5
# Ladders made at the same time, over all viewers; the other core answers clicks.
AT_ONCE = threading.Semaphore(1)
# Ladders kept, a few megabytes each.
KEPT = 24


@dataclass(frozen=True)
class Rung:
    """One activation of all hidden layers: φ_k with one γ, or ReLU (None)."""

    gamma: Fraction | None
    winners: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """What a ladder is made of: two networks, as far as they are trained, and the plane. ReLU may have weights of its
    own: those that its training found."""

    kwta: Which
    relu: Which
    frames: tuple[int, int]
    choice: Choice
    kind: Literal["regions"] = "regions"


def rungs(sizes: tuple[int, ...]) -> tuple[Rung, ...]:
    """ReLU as rung 0, then every γ at which some layer gets another winner, ascending; at most MOST_RUNGS of them.

    Layers of n units each have the rungs γ = 1/n, 2/n, …, 1.
    """
    least = max(Fraction(1, n) for n in sizes)
    steps = sorted({Fraction(k, n) for n in set(sizes) for k in range(1, n + 1) if Fraction(k, n) >= least})
    places = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_RUNGS)).round().astype(int))
    chosen = [steps[i] for i in places]
    ladder = [Rung(gamma, tuple(winners(gamma, n) for n in sizes)) for gamma in chosen]
    return (Rung(None, (0,) * len(sizes)), *ladder)


def start(ladder: tuple[Rung, ...], gamma: float, sizes: tuple[int, ...]) -> int:
    """The rung of the shared γ: the one with its winners, or the last one below."""
    wanted = tuple(winners(gamma, n) for n in sizes)
    below = [i for i, rung in enumerate(ladder) if i and all(a <= b for a, b in zip(rung.winners, wanted, strict=True))]
    return below[-1] if below else 1


def limit(sizes: tuple[int, ...]) -> int:
    """How many regions of one picture are looked for in a network with these layers."""
    entries = sum(a * b for a, b in pairwise(sizes)) + sum(n**3 // SEARCH for n in sizes) + 1
    return int(min(LIMIT, max(WORK // entries, FEWEST)))


class Ladder:
    """The pictures of all rungs, as packed bytes; made nearest to the wanted one first, while somebody asks."""

    def __init__(self, kwta: Stages, relu: Stages, home: Slice, view: Slice, square: tuple[np.ndarray, float]) -> None:
        self.rungs = rungs(kwta.sizes)
        self.view, self.home, self.square = view, home, square
        self.sizes, self.limit = kwta.sizes, limit(kwta.sizes)
        self.blocks: dict[int, bytes] = {}
        self.counts: dict[int, tuple[int, bool]] = {}  # of each rung: regions, and whether these are all
        self._stages = (relu, kwta)
        self._wanted, self._asked = 1, 0.0
        self._thread: threading.Thread | None = None
        self.error: str | None = None
        self._changed = threading.Condition()

    def most(self, rung: int) -> int:
        """How many regions of this rung are looked for; those of ReLU cost little."""
        return LIMIT if rung == 0 else self.limit

    def cells(self, rung: int, most: int | None = None) -> Cells:
        """The exact cells of one rung in the view; Unusable where float64 cannot tell them apart."""
        relu, kwta = self._stages
        ks = self.rungs[rung].winners
        steps = relu if rung == 0 else kwta
        layers = tuple(replace(layer, k=k) for layer, k in zip(steps.hidden, ks, strict=True))
        try:
            return plane.of_stages(Stages(layers, steps.weight, steps.bias), self.view, most or self.most(rung))
        except ValueError as error:
            raise Unusable(f"the regions cannot be found: {error}.") from error

    def block(self, rung: int) -> bytes:
        """The picture of one rung, made now if it is not there yet."""
        found = self.blocks.get(rung)
        return found if found is not None else self._made(rung)

    def _made(self, rung: int) -> bytes:
        started = time.perf_counter()
        cells = self.cells(rung)
        packed = region_block.of_cells(cells, rung, self.square, started)
        with self._changed:
            self.counts[rung] = (len(cells), cells.complete)
            self.blocks[rung] = packed
            self._changed.notify_all()
        return packed

    def want(self, rung: int) -> None:
        """Go on with the rungs nearest to this one."""
        with self._changed:
            self._wanted, self._asked = rung, time.monotonic()
            if self._thread is None and len(self.blocks) < len(self.rungs) and self.error is None:
                self._thread = threading.Thread(target=self._work, name="kwta-regions", daemon=True)
                self._thread.start()

    def wait(self, have: set[int], seconds: float) -> None:
        """Wait for a rung that is not among `have`, or until the time is over or nothing more comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None or self.blocks.keys() - have, timeout=seconds)

    def nearest(self, rung: int, among: set[int]) -> list[int]:
        """Rungs in the order in which they are wanted: this one, ReLU, then outwards."""
        return sorted(among, key=lambda i: (i != rung, i != 0, abs(i - rung)))

    def _work(self) -> None:
        try:
            while self._next():
                pass
        except Unusable as error:  # told with the next answer
            self.error = str(error)
        finally:
            with self._changed:
                self._thread = None
                self._changed.notify_all()

    def _next(self) -> bool:
        missing = set(range(len(self.rungs))) - self.blocks.keys()
        if not missing or time.monotonic() - self._asked > PATIENCE:
            return False
        with AT_ONCE:
            rung = self.nearest(self._wanted, missing)[0]
            if rung not in self.blocks:
                self._made(rung)
        return True


def question(setup, weights: str, choice: Choice) -> tuple[Question, Snapshot, Snapshot]:
    """What is asked, and the two networks as they are now."""
    kind = "trained" if weights == "trained" else "untrained"
    found = [trained.snapshot(_initialised(trained.which(setup, kind, phi), weights)) for phi in ("kwta", "relu")]
    frames = (found[0].frames, found[1].frames)
    return Question(found[0].which, found[1].which, frames, choice), found[0], found[1]


def _initialised(which: Which, weights: str) -> Which:
    if weights != "he":
        return which
    return replace(which, recipe=replace(which.recipe, net=replace(which.recipe.net, init="he")))


def ladder(asked: Question, kwta: Snapshot, relu: Snapshot) -> Ladder:
    """The shared ladder of this question; Unusable where the network or the plane cannot be had."""
    return _ladder(asked, kwta, relu)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _ladder(asked: Question, _kwta: Snapshot, _relu: Snapshot) -> Ladder:
    home, view = planes.home(asked.choice), planes.shown(asked.choice)
    square = planes.frame(home, asked.choice.window)
    return Ladder(_on(asked, 0, _kwta), _on(asked, 1, _relu), home, view, square)


def _on(asked: Question, which: int, snapshot: Snapshot) -> Stages:
    """The network on the plane; kept without the window, for zooming changes nothing about it."""
    choice = replace(asked.choice, window=planes.Window(), clip="free")
    return _folded(((asked.kwta, asked.relu)[which], asked.frames[which], choice), snapshot)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _folded(key: tuple[Which, int, Choice], _snapshot: Snapshot) -> Stages:
    choice = key[-1]
    widest = max(key[0].recipe.net.sizes)
    if widest > WIDEST:
        raise Unusable(f"regions are found for layers of up to {WIDEST:,} units; this network has one of {widest:,}")
    try:
        return stages(_snapshot.net, planes.home(choice), data.data(choice.data).shape)
    except ValueError as error:
        raise Unusable(f"regions of this network cannot be found: {error}.") from error
