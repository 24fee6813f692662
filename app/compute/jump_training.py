"""Networks trained for one γ each, in slices of time, while somebody asks; then kept for all viewers."""

import threading
import time
from collections.abc import Iterator

import streamlit as st
import torch
from torch import nn

from app.compute import data
from app.compute.runs import AT_ONCE, Recipe
from app.compute.threads import one_thread
from kwta.attacks.training import objective
from kwta.networks import build
from kwta.training import Stopped, steps_per_epoch, train
from kwta.training.records import Record

# Networks kept, over all viewers: those of a few pages; a large one takes 40 MB.
KEPT = 48


class Course:
    """One training from its beginning to its end, as fast as it is asked to go on.

    net: the trained network in evaluation mode on the CPU, None until then. error: why there is none.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.net: nn.Module | None = None
        self.error: str | None = None
        self.epoch = 0.0
        self._records: Iterator[Record] | None = None
        self._training: nn.Module | None = None
        self._lock = threading.Lock()

    @property
    def epochs(self) -> int:
        return self.recipe.training.epochs

    @property
    def is_done(self) -> bool:
        return self.net is not None or self.error is not None

    def go_on(self, seconds: float) -> None:
        """Train for so long, or to the end."""
        with self._lock, AT_ONCE, one_thread():
            end = time.monotonic() + seconds
            try:
                while not self.is_done and time.monotonic() < end:
                    self._step()
            except (ValueError, RuntimeError) as error:  # told to whoever watches
                self._end(str(error))

    def _step(self) -> None:
        if self._records is None:
            known = data.data(self.recipe.data)
            self._training = build(self.recipe.net, self.recipe.seed)
            plan = self.recipe.training
            against = objective(plan.adversarial, known.box)
            self._records = train(self._training, known, plan, device=self.recipe.device, objective=against)
            self._per_epoch = steps_per_epoch(len(known.x_train), self.recipe.training.batch)
        record = next(self._records)
        self.epoch = record.step / self._per_epoch
        if isinstance(record, Stopped):
            self._end(record.message if record.reason == "diverged" else None)

    def _end(self, error: str | None) -> None:
        net, self._training, self._records = self._training, None, None
        if net is not None and error is None and not all(torch.isfinite(v).all() for v in net.parameters()):
            error = "the weights are no longer finite."
        if net is None or error is not None:
            self.error = error or "it did not begin."
        else:
            self.net = net.to("cpu").eval()


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def course(recipe: Recipe) -> Course:
    """The one course of this recipe, shared by all viewers."""
    return Course(recipe)
