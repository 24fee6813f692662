"""The Square attack: random search that changes one square of the image at a time.

Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial attack via random
search", ECCV 2020, algorithms 1-3. Here every image has a square of its own, also in L2.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.proposal import Proposal
from kwta.attacks.search import check, scattered, searched, share
from kwta.threats import Threat

TILES = 5  # the L2 attack starts with so many bumps along a side
SMALLEST = 3  # side of its smallest window: a bump needs some pixels


@dataclass(frozen=True)
class Square:
    """Square attack with `queries` per input; p is the share of the pixels that the first squares cover.

    For inputs [batch, C, H, W]. Inputs of another form have no squares: there a random set of as many entries takes
    the place of the square, which is `RandomSearch`. Raises ValueError for queries below 1 and p outside (0, 1].
    """

    queries: int = 5000
    p: float = 0.8
    kind: Literal["square"] = "square"

    def __post_init__(self) -> None:
        check(self.queries, self.p)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "square"


def square(
    spec: Square,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """The best input that the attack meets, for each of x."""
    if x.ndim != 4:
        start, change = scattered(x, x, 1.0, threat, generator), scattered
    elif threat.norm == "linf":
        start, change = _stripes(x, threat, generator), _squares
    else:
        start, change = _tiles(x, threat, generator), _windows

    def changed(best: Tensor, x: Tensor, query: int) -> Tensor:
        return change(best, x, share(spec.p, query, spec.queries), threat, generator)

    return searched(net, x, labels, start, changed, spec.queries)


def _stripes(x: Tensor, threat: Threat, generator: Generator) -> Tensor:
    """Vertical stripes of ±ε, one pixel wide."""
    n, channels, _, width = x.shape
    return threat.project(x + threat.eps * _signs((n, channels, 1, width), x, generator), x)


def _squares(best: Tensor, x: Tensor, part: float, threat: Threat, generator: Generator) -> Tensor:
    """best with one square of each image moved to +ε or −ε, one sign per channel (algorithm 2)."""
    n, channels, height, width = x.shape
    side = min(max(1, round(sqrt(part * height * width))), height, width)
    inside = _inside(n, height, side, x, generator)[:, :, None] & _inside(n, width, side, x, generator)[:, None, :]
    moved = 2 * threat.eps * _signs((n, channels, 1, 1), x, generator)
    return threat.project(torch.where(inside[:, None], best + moved, best), x)


def _inside(n: int, length: int, side: int, x: Tensor, generator: Generator) -> Tensor:
    """Which of the rows (or columns) lie in a random window; [n, length]."""
    first = _first(n, length, side, x, generator)[:, None]
    places = torch.arange(length, device=x.device)
    return (places >= first) & (places < first + side)


def _tiles(x: Tensor, threat: Threat, generator: Generator) -> Tensor:
    """A grid of bumps with random signs, of length ε altogether."""
    n, channels, height, width = x.shape
    side = max(1, min(height, width) // TILES)
    delta = torch.zeros_like(x)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            signs = _signs((n, channels, 1, 1), x, generator)
            delta[:, :, top : top + side, left : left + side] = signs * _bumps(n, side, x, generator)
    return _of_length_eps(delta, x, threat)


def _windows(best: Tensor, x: Tensor, part: float, threat: Threat, generator: Generator) -> Tensor:
    """best with the length of one window's perturbation, and what ε still allows, moved to another (algorithm 3)."""
    n, channels, height, width = x.shape
    side = max(SMALLEST, round(sqrt(part * height * width)))
    side = min(side + 1 - side % 2, height, width)
    delta = best - x
    here, there = (_window(n, height, width, side, x, generator) for _ in range(2))
    old = delta[here]  # [n, side, side, C]: the index over channels stands between the others, hence last
    both = torch.zeros((n, height, width), dtype=torch.bool, device=x.device)
    for rows, _, down, across in (here, there):
        both[rows, down, across] = True
    freed = (delta * both[:, None]).square().sum(dim=(2, 3))  # of both windows, [n, C]
    unused = (threat.eps**2 - delta.square().sum(dim=(1, 2, 3))).clamp(min=0)[:, None]
    signs = _signs((n, 1, 1, channels), x, generator)
    bump = _bumps(n, side, x, generator).permute(0, 2, 3, 1) * signs
    new = bump + old / _length(old, (1, 2))
    new = new / _length(new, (1, 2)) * (unused / channels + freed).sqrt()[:, None, None]
    delta[there] = 0
    delta[here] = new
    return _of_length_eps(delta, x, threat)


def _window(n: int, height: int, width: int, side: int, x: Tensor, generator: Generator) -> tuple:
    """An index of one random window in each image."""
    steps = torch.arange(side, device=x.device)
    down = _first(n, height, side, x, generator)[:, None] + steps
    across = _first(n, width, side, x, generator)[:, None] + steps
    rows = torch.arange(n, device=x.device)[:, None, None]
    return rows, slice(None), down[:, :, None], across[:, None, :]


def _bumps(n: int, side: int, x: Tensor, generator: Generator) -> Float[Tensor, "n 1 side side"]:
    """η: one hill above a valley or beside it, drawn for each image; of unit length (equations 2 and 3)."""
    bump = _bump(side).to(x.device, x.dtype)
    upright = torch.rand(n, generator=generator, device=generator.device).to(x.device) < 0.5
    return torch.where(upright[:, None, None], bump, bump.T)[:, None]


def _bump(side: int) -> Float[Tensor, "side side"]:
    """The upper half a hill, the lower a valley."""
    half = side // 2
    pair = torch.cat([_hill(half, side), -_hill(side - half, side)])
    return pair / pair.norm()


def _hill(height: int, width: int) -> Float[Tensor, "height width"]:
    """Nested rectangles around the centre, the i-th adding 1/(i + 1)²; of unit length."""
    hill = torch.zeros(height, width)
    down, across = height // 2, width // 2
    for i in range(max(down, across) + 1):
        rows = slice(max(0, down - i), down + i + 1)
        hill[rows, max(0, across - i) : across + i + 1] += 1 / (i + 1) ** 2
    return hill / hill.norm() if height else hill


def _of_length_eps(delta: Tensor, x: Tensor, threat: Threat) -> Tensor:
    """x + ε δ/‖δ‖, in the box."""
    rows = delta.reshape(len(x), -1)
    scaled = rows * (threat.eps / _length(rows, (1,)))
    clipped = (x + scaled.reshape(x.shape)).clamp(threat.low, threat.high)
    return threat.project(clipped, x)


def _length(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The L2 norm over some dimensions, kept, and never zero."""
    return values.square().sum(dim=dims, keepdim=True).sqrt().clamp(min=1e-12)


def _signs(shape: tuple[int, ...], x: Tensor, generator: Generator) -> Tensor:
    drawn = torch.randint(2, shape, generator=generator, device=generator.device)
    return (2 * drawn - 1).to(x.device, x.dtype)


def _first(n: int, length: int, side: int, x: Tensor, generator: Generator) -> Int64[Tensor, " n"]:
    """Where a window of this side begins, uniform over all places."""
    return torch.randint(length - side + 1, (n,), generator=generator, device=generator.device).to(x.device)
