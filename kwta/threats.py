"""Threats: what an attacker may do, a ball around the input intersected with the data box.

Inputs have the batch first and any shape after it; norms run over all entries of one input. The input itself always
lies in the box, so it lies in the intersection, which is convex.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

Norm = Literal["linf", "l2"]

# Radii in L∞ for inputs in [0, 1]: Xiao, Zhong, Zheng, ICLR 2020, and its public evaluation code.
EPS_CIFAR10 = 0.031
EPS_SVHN = 0.047
EPS_MNIST = 0.3

TOLERANCE = 1e-6  # float32 inputs in [0, 1] are rounded to 6e-8; sums over an image stay well below this
DRAWS = 8  # of L2 samples until all are exactly uniform; see `Threat.sample`


@dataclass(frozen=True)
class Threat:
    """All z with ‖z − x‖ ≤ eps and low ≤ z ≤ high.

    norm: "linf", the largest entry, or "l2", the Euclidean norm. Raises ValueError where a value is not allowed.

    >>> Threat(0.1).project(torch.tensor([[0.9, -0.3]]), torch.tensor([[0.5, 0.05]]))
    tensor([[0.6000, 0.0000]])
    """

    eps: float
    norm: Norm = "linf"
    low: float = 0.0
    high: float = 1.0
    kind: Literal["threat"] = "threat"

    def __post_init__(self) -> None:
        if not (isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be a finite number of at least 0, got {self.eps}")
        if self.norm not in get_args(Norm):
            raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}, got {self.norm!r}")
        if not self.low < self.high:
            raise ValueError(f"a data box needs low < high, got low {self.low} and high {self.high}")

    @property
    def rounding(self) -> float:
        """What float32 may add to a distance: 1e-6, or 1e-6 of the box's farther border where that is more than 1.

        Where a border is infinite, the inputs themselves say how large numbers become; see `contains`.

        >>> round(Threat(8, low=0, high=255).rounding, 9)
        0.000255
        """
        return TOLERANCE * max([1.0, *(abs(bound) for bound in (self.low, self.high) if isfinite(bound))])

    def whole(self, d: int) -> float:
        """The radius from which on every input of d entries in the box is allowed, whichever it starts from.

        >>> Threat(0.1, "l2").whole(4)
        2.0
        """
        width = self.high - self.low
        return width if self.norm == "linf" else width * d**0.5

    def check(self, x: Float[Tensor, "batch *shape"]) -> None:
        """Raises ValueError unless all inputs are finite float32 or float64 numbers in the box, up to rounding."""
        if not x.is_floating_point():
            raise ValueError(f"inputs must be floating-point numbers, which can move by any eps, got {x.dtype}")
        if torch.finfo(x.dtype).eps > TOLERANCE:
            gap = torch.finfo(x.dtype).eps
            raise ValueError(
                f"inputs must be float32 or float64, got {x.dtype}, whose numbers above 1 are {gap:g} apart: a ball "
                "needs finer ones. Convert the network and its inputs with .float()"
            )
        if not x.numel():
            return
        least, most = (float(bound) for bound in x.aminmax())
        tol = self.rounding
        if not (self.low - tol <= least and most <= self.high + tol and isfinite(most - least)):
            raise ValueError(
                f"inputs must lie in the data box [{self.low:g}, {self.high:g}], got entries from {least:g} to {most:g}"
            )

    def distance(self, proposed: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"]) -> Tensor:
        """‖proposed − x‖ of each input, [batch]."""
        moved = _rows(proposed - x)
        return moved.abs().amax(dim=1) if self.norm == "linf" else _wide(moved).norm(dim=1).to(x.dtype)

    def contains(
        self, proposed: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"], tol: float | None = None
    ) -> Bool[Tensor, "batch"]:
        """Whether each proposal lies in ball and box, both widened by tol; NaN lies nowhere.

        tol None: `rounding`, and where the box has an infinite border at least 1e-6 (max |x| + eps) of each input.
        """
        widened = self._rounding_at(x) if tol is None else torch.full_like(_rows(x)[:, 0], tol)
        tols = widened[:, None]
        inside = ((_rows(proposed) >= self.low - tols) & (_rows(proposed) <= self.high + tols)).all(dim=1)
        return inside & (self.distance(proposed, x) <= self.eps + widened)

    def _rounding_at(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch"]:
        """What float32 may add to a distance from each input."""
        rows = _rows(x)
        least = torch.full_like(rows[:, 0], self.rounding)
        if isfinite(self.low) and isfinite(self.high):
            return least
        return torch.maximum(least, TOLERANCE * (rows.abs().amax(dim=1) + self.eps))

    def steepest(self, gradient: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """argmax ⟨u, gradient⟩ over ‖u‖ ≤ 1, per input: sign(g) in L∞, g/‖g‖₂ in L2; a zero gradient gives zero."""
        if self.norm == "linf":
            return gradient.sign()
        rows = _rows(gradient)
        scaled = rows / _positive(rows.abs().amax(dim=1, keepdim=True))  # squares of 1e-30 would underflow
        length = _positive(torch.linalg.vector_norm(scaled, dim=1, keepdim=True))
        return (scaled / length).reshape(gradient.shape)

    def project(
        self, proposed: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch *shape"]:
        """The nearest point (in L2) of ball and box together to each proposed input; inside, it stays as it is.

        L∞: both are boxes, and so each entry is clipped. L2: the nearest point is clip(x + s (proposed − x)) with the
        largest share s ≤ 1 that stays in the ball (from the conditions of optimality, s = 1 / (1 + λ)); s is found
        exactly, see `_share`. Shrinking to the ball and clipping afterwards, as is often done, lies in both sets but
        not nearest. Entries of x are expected in the box.
        """
        if self.norm == "linf":
            least, most = (x - self.eps).clamp_(min=self.low), (x + self.eps).clamp_(max=self.high)
            return torch.clamp(proposed, least, most)
        wished = _wide(_rows(proposed - x))
        room = _wide(_rows(torch.where(proposed > x, self.high - x, x - self.low))).clamp(min=0)
        share = _share(wished.abs(), room, self.eps)
        moved = torch.clamp(share * wished, -room, room).to(x.dtype).reshape(x.shape)
        whole = (share == 1).reshape(-1, *[1] * (x.ndim - 1))  # rounding x + (proposed − x) would move what may stay
        return torch.where(whole, proposed, x + moved).clamp(self.low, self.high)

    def sample(self, x: Float[Tensor, "batch *shape"], generator: Generator) -> Float[Tensor, "batch *shape"]:
        """One random point of ball and box for each input.

        L∞: exactly uniform, each entry between its two bounds. L2: a uniform point of the ball whose entries are
        reflected at x where they left the box. That is exactly uniform where an entry of x lies on the box's border or
        at least eps from it; between, points near the border would come up too often, and are drawn anew with the
        probability that mends it. After 8 draws the last one stays: then nearly uniform, as for large images.
        """
        if self.norm == "linf":
            least, most = (x - self.eps).clamp(min=self.low), (x + self.eps).clamp(max=self.high)
            return (least + (most - least) * _uniform(x.shape, generator, x)).clamp(least, most)
        found = torch.empty_like(x)
        missing = torch.arange(len(x), device=x.device)
        for drawn in _reflected(x, self, generator):
            points, accepted = drawn[0][missing], drawn[1][missing]
            found[missing] = points
            missing = missing[~accepted]
            if not len(missing):
                break
        return self.project(found, x)


def _reflected(x: Tensor, threat: Threat, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Points of the ball reflected into the box, and which of them to accept so that they are uniform.

    A point comes up 2^m times too often, m being how many entries have a mirror image outside; those that always have
    one (x on the border) do not count. One that is outside on both sides is refused.
    """
    on_border = (x == threat.low) | (x == threat.high)
    for _ in range(DRAWS):
        moved = threat.eps * _in_unit_ball(x, generator)
        out, mirrored = _outside(x + moved, threat), _outside(x - moved, threat)
        folds = _rows((out ^ mirrored) & ~on_border).sum(dim=1)
        wins = _uniform((len(x),), generator, x) < 0.5**folds
        yield torch.where(out, x - moved, x + moved), wins & ~_rows(out & mirrored).any(dim=1)


def _outside(x: Tensor, threat: Threat) -> Tensor:
    return (x < threat.low) | (x > threat.high)


def _in_unit_ball(x: Tensor, generator: Generator) -> Tensor:
    """Uniform in the L2 unit ball, shaped as x: a direction from a Gaussian, and the radius U^(1/d)."""
    gaussian = _rows(torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device))
    radius = _uniform((len(x), 1), generator, x) ** (1 / max(gaussian.shape[1], 1))
    return (gaussian * (radius / _positive(gaussian.norm(dim=1, keepdim=True)))).reshape(x.shape)


def _share(wished: Float[Tensor, "batch d"], room: Float[Tensor, "batch d"], eps: float) -> Float[Tensor, "batch 1"]:
    """The largest s ≤ 1 with ‖min(s · wished, room)‖₂ ≤ eps; all entries are 0 or more.

    With the entries that reach their room known, s solves one equation; the s so found makes more of them reach it.
    From none on, both only grow: at most d rounds end exactly (a handful do), and each s on the way stays in the ball.
    """
    share = torch.zeros_like(wished[:, :1])
    full = torch.zeros_like(wished, dtype=torch.bool)
    for _ in range(wished.shape[1] + 1):
        left = (eps**2 - torch.where(full, room, 0).square().sum(dim=1, keepdim=True)).clamp(min=0)
        free = torch.where(full, 0, wished).square().sum(dim=1, keepdim=True)
        share = torch.where(free > left, (left / _positive(free)).sqrt(), 1.0)
        reaching = full | (share * wished > room)
        if torch.equal(reaching, full):
            break
        full = reaching
    return share


def _uniform(shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
    """Uniform in [0, 1), drawn where the generator lives and brought to where `like` does."""
    drawn = torch.rand(shape, generator=generator, dtype=like.dtype, device=generator.device)
    return drawn.to(like.device)


def _positive(values: Tensor) -> Tensor:
    """Divisors: zeros become one, for what they divide is zero too."""
    return torch.where(values > 0, values, 1)


def _wide(x: Tensor) -> Tensor:
    """In float64, lest sums of squares round; on Apple's GPUs, which lack it, as it is."""
    return x if x.device.type == "mps" else x.double()


def _rows(x: Tensor) -> Tensor:
    """Each input as one row, also where an input is a single number."""
    return x[:, None].flatten(start_dim=1)
