"""Random noise, the baseline that every attack has to beat."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.oracle import Oracle
from kwta.attacks.proposal import Proposal
from kwta.threats import Threat

Law = Literal["uniform", "gaussian"]


@dataclass(frozen=True)
class Noise:
    """Independent random points, of which one that changes the prediction is kept; only decisions are asked for.

    law: "uniform" in ball and box, or "gaussian" with standard deviation ε (L∞) or ε/√d (L2) per entry, brought back
    to them: in L∞ a third of all entries then lies at ±ε. Raises ValueError for samples below 1 or another law.
    """

    samples: int = 100
    law: Law = "uniform"
    kind: Literal["noise"] = "noise"

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"noise needs at least 1 sample, got {self.samples}")
        if self.law not in get_args(Law):
            raise ValueError(f"the law must be one of {', '.join(get_args(Law))}, got {self.law!r}")

    @property
    def name(self) -> str:
        """Without its settings."""
        return "noise" if self.law == "uniform" else "gaussian_noise"


def noise(
    spec: Noise,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """The first sample that changes the prediction, or else the last one."""
    oracle = Oracle(net, len(x), "decisions", spec.samples)
    found, rows = x.clone(), torch.arange(len(x), device=x.device)
    for _ in range(spec.samples):
        found[rows] = _drawn(spec.law, x[rows], threat, generator)
        rows = rows[oracle.decisions(found[rows], rows) == labels[rows]]
        if not len(rows):
            break
    return Proposal(found, oracle.queries, torch.zeros_like(oracle.queries))


def _drawn(law: Law, x: Tensor, threat: Threat, generator: Generator) -> Tensor:
    if law == "uniform":
        return threat.sample(x, generator)
    deviation = threat.eps if threat.norm == "linf" else threat.eps / max(1, x[0].numel()) ** 0.5
    drawn = torch.randn(x.shape, generator=generator, device=generator.device).to(x.device, x.dtype)
    return threat.project(x + deviation * drawn, x)
