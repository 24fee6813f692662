"""Random search on scores: keep a change if the margin improves. The loop that Square and the plain search share."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.losses import margin
from kwta.attacks.oracle import Oracle
from kwta.attacks.proposal import Proposal
from kwta.threats import Threat

# (best so far, x, query's number) -> what to ask next, for the inputs that still resist; [left, *shape] all.
Candidates = Callable[[Float[Tensor, "left *shape"], Float[Tensor, "left *shape"], int], Float[Tensor, "left *shape"]]

# After so many of 10,000 queries the share that changes is halved; the authors' code of Square, which the text follows.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
SCHEDULE = 10_000


@dataclass(frozen=True)
class RandomSearch:
    """Random search that knows nothing of images: each query changes a random share of the entries of δ.

    L∞: a changed entry becomes uniform in [−2ε, 2ε] clipped to ±ε: half of them lie at a border, where steep directions
    end, half between, which inputs of few dimensions need. L2: the changed entries, two or more where there are two,
    get a new random direction with all the length that the others leave; at every d-th query or so (every second for
    one entry) less, for the same reason. Shares follow Square's schedule from p down. Raises ValueError for queries
    below 1 and p outside (0, 1].
    """

    queries: int = 1000
    p: float = 0.8
    kind: Literal["random search"] = "random search"

    def __post_init__(self) -> None:
        check(self.queries, self.p)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "random_search"


def check(queries: int, p: float) -> None:
    """Refuse settings that no search can follow."""
    if queries < 1:
        raise ValueError(f"a search needs at least 1 query, got {queries}")
    if not 0 < p <= 1:
        raise ValueError(f"p, the share of the entries that a query changes, must lie in (0, 1], got {p}")


def share(p: float, query: int, queries: int) -> float:
    """p · 2^−h, where h halvings come before this query: the schedule for 10,000 queries, scaled to those at hand.

    >>> share(0.8, 0, 5000), share(0.8, 2600, 5000)
    (0.8, 0.00625)
    """
    return p / 2 ** bisect_left(HALVINGS, query * SCHEDULE // queries)


def random_search(
    spec: RandomSearch,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """The best input that the search meets, for each of x; it starts with all entries changed."""

    def changed(best: Tensor, x: Tensor, query: int) -> Tensor:
        return scattered(best, x, share(spec.p, query, spec.queries), threat, generator)

    return searched(net, x, labels, scattered(x, x, 1.0, threat, generator), changed, spec.queries)


def scattered(
    best: Float[Tensor, "left *shape"],
    x: Float[Tensor, "left *shape"],
    part: float,
    threat: Threat,
    generator: Generator,
) -> Float[Tensor, "left *shape"]:
    """best with round(part · d) random entries of each input's perturbation drawn anew; in L∞ at least one.

    In L2 at least two: what a single entry may get is the length that it has already, and all that could change is its
    sign.
    """
    rows = (best - x).reshape(len(x), -1)
    d = rows.shape[1]
    n = min(max(1 if threat.norm == "linf" else 2, round(part * d)), d)
    keys = torch.rand(rows.shape, generator=generator, device=generator.device).to(x.device)
    chosen = torch.zeros_like(rows, dtype=torch.bool).scatter_(1, keys.topk(n, dim=1).indices, True)
    if threat.norm == "linf":
        uniform = torch.rand(rows.shape, generator=generator, device=generator.device).to(x.device, x.dtype)
        new = ((4 * uniform - 2) * threat.eps).clamp_(-threat.eps, threat.eps)
    else:
        new = _filling(rows, chosen, threat.eps, generator)
    moved = torch.where(chosen, new, rows).reshape(x.shape)
    return threat.project(x + moved, x)


def _filling(delta: Tensor, chosen: Tensor, eps: float, generator: Generator) -> Tensor:
    """A random direction in the chosen entries, so long that the whole has the length eps, or shorter.

    Of n chosen of d entries the length is what eps leaves times min(1, (dU)^(1/n)), U uniform: it ends inside the ball
    with probability 1/d, and there it is uniform in the ball of the chosen entries.
    """
    drawn = torch.randn(delta.shape, generator=generator, device=generator.device).to(delta.device, delta.dtype)
    uniform = torch.rand((len(delta), 1), generator=generator, device=generator.device).to(delta.device, delta.dtype)
    direction = drawn * chosen
    kept = (delta * ~chosen).square().sum(dim=1, keepdim=True)
    part = (max(2, delta.shape[1]) * uniform).clamp(max=1) ** (1 / chosen.sum(dim=1, keepdim=True))
    length = (eps**2 - kept).clamp(min=0).sqrt() * part
    return direction * (length / direction.norm(dim=1, keepdim=True).clamp(min=torch.finfo(delta.dtype).tiny))


def searched(
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    start: Float[Tensor, "batch *shape"],
    candidates: Candidates,
    queries: int,
) -> Proposal:
    """The best of start and `queries` − 1 candidates per input by the margin; an input that is fooled asks no more."""
    oracle = Oracle(net, len(x), "scores", queries)
    best, rows = start.clone(), torch.arange(len(x), device=x.device)
    highest, fooled = _seen(oracle.scores(best, rows), labels)
    rows = rows[~fooled]
    for query in range(1, queries):
        if not len(rows):
            break
        asked = candidates(best[rows], x[rows], query)
        value, fooled = _seen(oracle.scores(asked, rows), labels[rows])
        better = (value > highest[rows]) | fooled
        best[rows[better]], highest[rows[better]] = asked[better], value[better]
        rows = rows[~fooled]
    return Proposal(best, oracle.queries, torch.zeros_like(oracle.queries))


def _seen(
    logits: Float[Tensor, "asked classes"], labels: Int64[Tensor, "asked"]
) -> tuple[Float[Tensor, "asked"], Bool[Tensor, "asked"]]:
    """The margin as an attacker counts it, and whether the prediction is not the label."""
    return margin(logits, labels), logits.argmax(dim=1) != labels
