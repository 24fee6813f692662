"""HopSkipJump, an attack from decisions alone, walked by foolbox.

Chen, Jordan, Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", S&P 2020.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.foreign import check_least
from kwta.attacks.proposal import Proposal
from kwta.attacks.secluded import Seen, run, sought
from kwta.threats import Norm, Threat

MOST_ENTRIES = 2**24  # of the random directions held at once: 64 MB
NEIGHBOURS = 20  # inputs of other classes that it tries to start from, before it draws noise
NOISES = 100  # and how often it draws that
TINY = 1e-12  # keeps divisions finite


@dataclass(frozen=True)
class HopSkipJump:
    """Walks along the border of a class towards the input, from decisions alone; in L∞ or L2 as the threat says.

    samples: decisions for its first estimate of the border's normal; the i-th takes √i times as many. It starts at one
    of the nearest inputs of the batch that is predicted as another class, or else at noise.
    """

    steps: int = 10
    samples: int = 100
    kind: Literal["hopskipjump"] = "hopskipjump"

    def __post_init__(self) -> None:
        check_least("steps", self.steps, 1)
        check_least("samples", self.samples, 1)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "hopskipjump"


def hop_skip_jump(
    spec: HopSkipJump,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """The nearest misclassified input that it finds, brought back to ball and box, for each of x."""

    def search(seen: Seen, unit: Tensor) -> tuple[Tensor, Int64[Tensor, "batch"]]:
        return _walked(spec, seen, unit, labels, threat.norm)

    return sought(search, net, x, threat, generator)


def _walked(
    spec: HopSkipJump, seen: Seen, unit: Tensor, labels: Tensor, norm: Norm
) -> tuple[Tensor, Int64[Tensor, "batch"]]:
    """Inputs on the border, and the queries of each input; an input without a start stays as it is."""
    starts, queries = _starts(seen, unit, labels)
    walker, found = _walker(spec, norm), unit.clone()
    started = (~torch.isnan(starts).reshape(len(unit), -1).any(dim=1)).nonzero()[:, 0]
    held = ceil(spec.samples * sqrt(spec.steps)) * max(1, unit[0].numel())
    for rows in started.split(max(1, MOST_ENTRIES // held)) if len(started) else ():
        before = seen.calls
        found[rows] = run(walker, seen, unit[rows], labels[rows], starting_points=starts[rows])
        queries[rows.cpu()] += seen.calls - before
    return found, queries


@torch.no_grad()
def _starts(seen: Seen, unit: Tensor, labels: Tensor) -> tuple[Tensor, Int64[Tensor, "batch"]]:
    """An input that is predicted as another class for each, NaN where none was met; and the queries it took."""
    starts, queries = torch.full_like(unit, torch.nan), torch.zeros(len(unit), dtype=torch.int64)
    rows = torch.arange(len(unit), device=unit.device)
    for candidate in _tries(unit, labels):
        if not len(rows):
            break
        asked = candidate(rows)
        queries[rows.cpu()] += 1
        fooled = seen(asked).argmax(dim=1) != labels[rows]
        starts[rows[fooled]] = asked[fooled]
        rows = rows[~fooled]
    return starts, queries


def _tries(unit: Tensor, labels: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
    """What to try in turn: the nearest inputs of other classes, then noise that fills the box."""
    flat = unit.reshape(len(unit), -1)
    distances = torch.cdist(flat, flat).masked_fill(labels[:, None] == labels, torch.inf)
    values, order = distances.topk(min(NEIGHBOURS, len(unit)), largest=False)
    for place in range(int(torch.isfinite(values).all(dim=0).sum())):
        yield lambda rows, place=place: unit[order[rows, place]]
    for _ in range(NOISES):
        yield lambda rows: torch.rand(unit[rows].shape, dtype=unit.dtype, device=unit.device)


def _walker(spec: HopSkipJump, norm: Norm) -> Any:
    """foolbox's HopSkipJump with the estimate of its paper, image by image.

    foolbox 3.3.4 gives the random directions, and their mean, unit length over the whole batch. In a batch of B each is
    then about √B too short: the L2 attack hardly moves, and differences drown in the rounding of float32.
    """
    from foolbox.attacks.hop_skip_jump import HopSkipJumpAttack

    class Walker(HopSkipJumpAttack):
        def approximate_gradients(self, is_adversarial: Any, x_advs: Any, steps: int, delta: Any) -> Any:
            wrapped = type(x_advs)

            def signs(x: Tensor) -> Tensor:
                return 2 * is_adversarial(wrapped(x)).raw.float() - 1

            return wrapped(_normal(signs, x_advs.raw, steps, delta.raw, norm))

    return Walker(steps=spec.steps, initial_gradient_eval_steps=spec.samples, constraint=norm)


def _normal(
    signs: Callable[[Tensor], Tensor], x: Float[Tensor, "batch *shape"], samples: int, delta: Tensor, norm: Norm
) -> Float[Tensor, "batch *shape"]:
    """Σ (φ(x + δu) − φ̄) u, of unit length: the direction into the other class (section III of the paper)."""
    size = (samples, *x.shape)
    uniform = norm == "linf"
    directions = 2 * torch.rand(size, device=x.device) - 1 if uniform else torch.randn(size, device=x.device)
    reach = delta.reshape(-1, *[1] * (x.ndim - 1)).clamp(min=TINY)
    asked = (x + reach * _unit(directions, 2)).clamp(0, 1)
    directions = (asked - x) / reach
    found = torch.stack([signs(x) for x in asked])
    centred = torch.where(found.mean(dim=0).abs() == 1, found, found - found.mean(dim=0))
    return _unit((centred.reshape(*centred.shape, *[1] * (x.ndim - 1)) * directions).mean(dim=0), 1)


def _unit(directions: Tensor, n_leading: int) -> Tensor:
    """Each direction with unit length; the first dimensions number them."""
    length = directions.flatten(n_leading).norm(dim=-1)
    return directions / length.reshape(*length.shape, *[1] * (directions.ndim - n_leading)).clamp(min=TINY)
