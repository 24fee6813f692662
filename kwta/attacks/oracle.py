"""What a black-box attacker may ask of a network, every question counted."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from kwta.patterns.winners import evaluating

Sees = Literal["scores", "decisions"]


class Oracle:
    """f(x) or argmax f(x) for the inputs that are attacked, and nothing else of f: no weights, no gradients.

    sees: "scores", all logits, or "decisions", only the predicted class. budget: questions allowed for each input.
    queries: asked so far, [batch]. Raises ValueError for a question that the threat does not allow: scores where
    only decisions are seen, inputs that ask for gradients, more than the budget.

    >>> oracle = Oracle(nn.Linear(2, 3), n=4, budget=10)
    >>> oracle.scores(torch.zeros(2, 2), torch.tensor([0, 3])).shape, oracle.queries
    (torch.Size([2, 3]), tensor([1, 0, 0, 1]))
    """

    def __init__(self, net: nn.Module, n: int, sees: Sees = "scores", budget: int | None = None) -> None:
        if sees not in get_args(Sees):
            raise ValueError(f"an oracle shows {' or '.join(get_args(Sees))}, got {sees!r}")
        if budget is not None and budget < 1:
            raise ValueError(f"the budget must allow at least 1 query, got {budget}")
        self.__net, self.sees, self.budget = evaluating(net), sees, budget
        self.queries = torch.zeros(n, dtype=torch.int64)

    def scores(self, x: Float[Tensor, "asked *shape"], rows: Int64[Tensor, "asked"]) -> Float[Tensor, "asked classes"]:
        """The logits; rows[i] is the input that question i belongs to, which may have several."""
        if self.sees != "scores":
            raise ValueError(f"this threat shows {self.sees} only, scores were asked for")
        return self._answer(x, rows)

    def decisions(self, x: Float[Tensor, "asked *shape"], rows: Int64[Tensor, "asked"]) -> Int64[Tensor, "asked"]:
        """The predicted classes; rows as for `scores`."""
        return self._answer(x, rows).argmax(dim=1)

    def _answer(self, x: Tensor, rows: Tensor) -> Tensor:
        if x.requires_grad:
            raise ValueError("a black-box oracle gives no gradients, but the inputs require them")
        asked = self.queries + torch.bincount(rows.cpu(), minlength=len(self.queries))
        self._check_budget(asked)
        self.queries = asked
        with torch.no_grad():
            return self.__net(x)

    def _check_budget(self, asked: Shaped[Tensor, " n"]) -> None:
        if self.budget is not None and (asked > self.budget).any():
            row = int(asked.argmax())
            raise ValueError(f"input {row} has a budget of {self.budget} queries, number {int(asked[row])} was asked")
