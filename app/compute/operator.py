"""φ_k and its companions on one vector, answered by the library; and how long φ_k takes on this machine."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from app.compute import Unusable, vectors
from app.compute.vectors import Vector
from kwta import timing
from kwta.activation import kwta, local_winners, max_pool, pattern, relu, threshold, winners

# Measurements kept, one per device and γ: the machine does not change while the app runs.
KEPT = 16


@dataclass(frozen=True, eq=False)
class Answer:
    """What the library says about one vector y of N entries.

    k is 0 if γN < 1, and then nobody wins and there is no threshold. `rank` is 1 for the largest entry; of equal ones
    the lower index ranks first. Arrays have N entries, `pooled` one for each block.
    """

    y: np.ndarray
    k: int
    won: np.ndarray
    rank: np.ndarray
    threshold: float | None
    kwta: np.ndarray
    relu: np.ndarray
    block: int
    local: np.ndarray
    pooled: np.ndarray

    @property
    def tied(self) -> np.ndarray:
        """True where an entry equals the threshold and does not stand alone there."""
        equal = np.zeros(len(self.y), dtype=bool) if self.threshold is None else self.y == self.threshold
        return equal if equal.sum() > 1 else np.zeros(len(self.y), dtype=bool)


def blocks(n: int) -> tuple[int, ...]:
    """The block sizes that divide n, from 2 on."""
    return tuple(size for size in range(2, n + 1) if n % size == 0)


def fitting_block(block: int, n: int) -> int:
    """The block size nearest to `block` that divides n; the smaller of two.

    >>> fitting_block(4, 10)
    5
    """
    return min(blocks(n), key=lambda size: (abs(size - block), size))


def winners_or_none(gamma: float, n: int) -> int:
    """k = ⌊γN⌋, 0 where the library refuses because nobody would win."""
    try:
        return winners(gamma, n)
    except ValueError:
        return 0


def answer(vector: Vector, gamma: float, block: int) -> Answer:
    """k-WTA, ReLU, local winner-take-all and max pooling on the vector's first n entries."""
    if not vectors.FEWEST <= vector.n <= vectors.MOST:
        raise Unusable(f"N must lie in {vectors.FEWEST}..{vectors.MOST}, got {vector.n}")
    y = torch.from_numpy(vectors.pool(vector)[: vector.n])
    k, size = winners_or_none(gamma, vector.n), fitting_block(block, vector.n)
    order = np.argsort(-y.numpy(), kind="stable")
    rank = np.empty(vector.n, dtype=np.int64)
    rank[order] = np.arange(1, vector.n + 1)
    return Answer(
        y=y.numpy(),
        k=k,
        won=pattern(y, k).numpy() if k else np.zeros(vector.n, dtype=bool),
        rank=rank,
        threshold=threshold(y, k).item() if k else None,
        kwta=kwta(y, k).numpy() if k else np.zeros(vector.n),
        relu=relu(y).numpy(),
        block=size,
        local=local_winners(y, size).numpy(),
        pooled=max_pool(y, size).numpy(),
    )


def table(found: Answer) -> dict[str, list]:
    """One column per activation, one row per entry: what the picture shows, as numbers."""
    return {
        "index": list(range(len(found.y))),
        "y": found.y.tolist(),
        "rank": found.rank.tolist(),
        "wins": found.won.tolist(),
        "tie": found.tied.tolist(),
        "k-WTA": found.kwta.tolist(),
        "ReLU": found.relu.tolist(),
        f"local WTA ({found.block})": found.local.tolist(),
        f"max pooling ({found.block})": np.repeat(found.pooled, found.block).tolist(),
    }


def csv(found: Answer) -> str:
    """The table as comma-separated text."""
    columns = table(found)
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]) + "\n"


def snippet(found: Answer, gamma: float) -> str:
    """Python lines that compute the same; they run as they stand."""
    numbers = vectors.written(tuple(found.y.tolist()))
    if not found.k:
        return (
            "from kwta.activation import winners\n\n"
            "try:\n"
            f"    winners({gamma}, {len(found.y)})\n"
            "except ValueError as error:\n"
            "    print(error)\n"
        )
    return (
        "import torch\n"
        "from kwta.activation import kwta, local_winners, max_pool, pattern, relu, threshold, winners\n\n"
        f"y = torch.tensor([{numbers}], dtype=torch.float64)\n"
        f"k = winners({gamma}, len(y))  # {found.k}\n"
        f"print(threshold(y, k))  # the k-th largest: {found.threshold:.6g}\n"
        "print(pattern(y, k).nonzero().flatten())  # who wins\n"
        "print(kwta(y, k))\n"
        f"print(relu(y), local_winners(y, {found.block}), max_pool(y, {found.block}))\n"
    )


@st.cache_data(max_entries=KEPT, show_spinner="Measuring on this machine …")
def timed(comparison: timing.Comparison) -> timing.Timing:
    """The measurement, once per comparison and process; raises Unusable where the library refuses."""
    try:
        return timing.measured(comparison)
    except ValueError as error:
        raise Unusable(str(error)) from error


def comparison(gamma: float, device: str) -> timing.Comparison:
    """What to measure for this γ; the shortest rows still have a winner."""
    return timing.Comparison(gamma=max(gamma, 1 / min(timing.SIZES)), device=device)
