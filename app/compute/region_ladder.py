"""The exact regions of a network on a plane for every rung of γ: made once in the background, shared by all viewers."""

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np

from app.compute import Unusable, region_block
from app.compute.background import Background, Quiet
from kwta.activation import winners
from kwta.regions import plane
from kwta.regions.cells import Cells
from kwta.regions.stages import Stages
from kwta.slices import Slice

# Regions of one picture: more than a screen can show, and what a browser still draws in a blink.
LIMIT = 60_000
# Entries of all matrices between layers times regions: about a second of work. Wide networks get fewer regions.
WORK = 200_000_000_000
# In a layer of n units a region costs about as much as n³ / SEARCH entries, for its neighbours are looked for.
SEARCH = 256
FEWEST = 200
# Rungs of γ at most; wider layers have every second k, or every third …
MOST_RUNGS = 128


@dataclass(frozen=True)
class Rung:
    """One activation of all hidden layers: φ_k with one γ, or ReLU (None)."""

    gamma: Fraction | None
    winners: tuple[int, ...]


@cache
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


@dataclass(frozen=True)
class Counted:
    """What else is counted of a picture with all its regions: pieces with one map, and what a grid meets of them."""

    pieces: int
    sampled: int


class Ladder:
    """The pictures of all rungs, as packed bytes; made nearest to the wanted one first, while somebody asks."""

    def __init__(self, kwta: Stages, relu: Stages, home: Slice, view: Slice, square: tuple[np.ndarray, float]) -> None:
        self.rungs = rungs(kwta.sizes)
        self.view, self.home, self.square = view, home, square
        self.sizes, self.limit = kwta.sizes, limit(kwta.sizes)
        self.blocks: dict[int, bytes] = {}
        self.counts: dict[int, tuple[int, bool]] = {}  # of each rung: regions, and whether these are all
        self.more: dict[int, Counted | None] = {}  # None where not all regions were found
        self._stages = (relu, kwta)
        self._wanted = 1
        self.error: str | None = None
        self._background = Background("kwta-regions", self._step)

    @property
    def is_whole(self) -> bool:
        """Whether every rung has its picture and its counts."""
        return len(self.blocks) == len(self.more) == len(self.rungs)

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
        with self._background.changed:
            self.counts[rung] = (len(cells), cells.complete)
            self.blocks[rung] = packed
            self._background.changed.notify_all()
        return packed

    def want(self, rung: int) -> None:
        """Go on with the rungs nearest to this one."""
        self._wanted = rung
        if not self.is_whole and self.error is None:
            self._background.want()

    def wait(self, have: set[int], lacking: set[int], seconds: float) -> None:
        """Wait for a rung that is not among `have`, for the counts of one that is `lacking` them, or until the time is
        over or nothing more comes."""
        self._background.wait(lambda: bool(self.blocks.keys() - have or self.more.keys() & lacking), seconds)

    def nearest(self, rung: int, among: set[int]) -> list[int]:
        """Rungs in the order in which they are wanted: this one, ReLU, then outwards."""
        return sorted(among, key=lambda i: (i != rung, i != 0, abs(i - rung)))

    def _step(self) -> bool:
        """Make what is wanted most; False where nothing is, or nothing can be."""
        try:
            return self._next()
        except Unusable as error:  # told with the next answer
            self.error = str(error)
            return False

    def _next(self) -> bool:
        """The counts of what is looked at, then pictures, then the other counts."""
        uncounted = self.blocks.keys() - self.more.keys()
        if shown := {self._wanted, 0} & uncounted:
            self._count(min(shown))
        elif missing := set(range(len(self.rungs))) - self.blocks.keys():
            rung = self.nearest(self._wanted, missing)[0]
            self.blocks[rung] = region_block.zipped(self._made(rung))
        elif uncounted:
            self._count(self.nearest(self._wanted, uncounted)[0])
        else:
            return False
        return True

    def _count(self, rung: int) -> None:
        cells = self.cells(rung)
        found = None
        if cells.complete:
            Quiet.keep()
            found = Counted(region_block.pieces(cells), region_block.sampled(cells))
        packed = region_block.zipped(self.blocks[rung])
        with self._background.changed:
            self.more[rung] = found
            self.blocks[rung] = packed
            self._background.changed.notify_all()
