"""Training runs that live outside the script thread: produced once, in frames, and watched by any number of viewers.

A run goes ahead only as far as somebody has asked (`Run.want`), so a paused or abandoned page costs nothing, and
rewinding replays the frames at hand. What a run produces is fixed by its recipe, so viewers of one link share one run.
"""

import atexit
import threading
import weakref
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from app.compute.frames import Frame, Framer
from app.compute.threads import is_small, one_thread
from kwta.datasets import Data
from kwta.networks import Spec, build, set_gamma
from kwta.training import Epoch, Step, Stopped, Training, steps_per_epoch, train

# Runs that compute at the same time; the others wait their turn, a frame at a time.
AT_ONCE = threading.Semaphore(2)
FRAMES = 120
# Frames crowd towards the start, where a network changes most: frame i of F falls on step (i/F)^CROWDING of all.
CROWDING = 1.7


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run."""

    data: str
    net: Spec
    seed: int
    training: Training
    device: str = "auto"
    kind: Literal["recipe"] = "recipe"


def frame_steps(total: int, frames: int = FRAMES) -> tuple[int, ...]:
    """The steps after which a frame is taken: the start, the end, and more of the early ones.

    >>> frame_steps(4)
    (0, 1, 2, 3, 4)
    """
    return tuple(sorted({round(total * (i / frames) ** CROWDING) for i in range(frames + 1)}))


_alive: "weakref.WeakSet[Run]" = weakref.WeakSet()


@atexit.register
def end_all(seconds: float = 5.0) -> None:
    """Cancel all runs and wait for their threads: one that is in torch when the interpreter ends would abort it."""
    runs = list(_alive)
    for run in runs:
        run.cancel()
    for run in runs:
        run.join(seconds)


@dataclass(frozen=True, eq=False)
class State:
    """A run at one moment: how many frames, the weights and γ as of the last, and whether it has ended by itself."""

    frames: int
    weights: dict[str, torch.Tensor]
    gammas: tuple
    is_ended: bool


class Run:
    """One training, made by a thread of its own. Frames only ever grow; reading them needs no lock.

    A run nobody asks for rests after the frames asked for last, and a cancelled one goes no further: `cancelled` says
    that it was ended from outside, `is_ended` that it came to its own end, by finishing, diverging or failing.
    """

    def __init__(self, recipe: Recipe, data: Data) -> None:
        self.recipe = recipe
        self.frames: list[Frame] = []
        self.stopped: Stopped | None = None
        self.error: str | None = None
        self.per_epoch = steps_per_epoch(len(data.x_train), recipe.training.batch)
        self.total_steps = self.per_epoch * recipe.training.epochs
        self.net = build(recipe.net, recipe.seed)
        self.framer = Framer(self.net, data)
        self._weights: dict[str, torch.Tensor] = {}
        self._records: list[Step | Epoch] = []
        self.cancelled = False
        self._wanted = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, args=(data,), name="kwta-run", daemon=True)
        _alive.add(self)
        self._thread.start()

    @property
    def is_ended(self) -> bool:
        return self.stopped is not None or self.error is not None

    @property
    def done(self) -> bool:
        """Whether there will be no further frame."""
        return self.is_ended or self.cancelled

    def is_going(self) -> bool:
        """Whether nobody has ended it from outside: what it was asked for comes, or is here already."""
        return not self.cancelled or self.is_ended

    def want(self, frames: int) -> None:
        """Let the run go on until it has so many frames; it never goes back."""
        with self._changed:
            self._wanted = max(self._wanted, frames)
            self._changed.notify_all()

    def wait(self, frames: int, seconds: float) -> None:
        """Wait until there are so many frames, the run is done, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.frames) >= frames or self.done, timeout=seconds)

    def cancel(self) -> None:
        """End the run where it is; its frames stay readable."""
        with self._changed:
            self.cancelled = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(seconds)

    def state(self) -> State:
        """Frames, weights and end, all of one moment."""
        with self._changed:
            gammas = self.frames[-1].gammas if self.frames else ()
            return State(len(self.frames), dict(self._weights), gammas, self.is_ended)

    def network(self) -> nn.Module:
        """A copy of the network as of the last frame, on the CPU, in evaluation mode."""
        return restored(self.recipe, self.state())

    def _work(self, data: Data) -> None:
        try:
            self._train(data)
        except Exception as error:  # whatever ends the thread is shown to whoever watches
            self.error = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        self.net.zero_grad(set_to_none=True)
        with self._changed:
            self._changed.notify_all()

    def _train(self, data: Data) -> None:
        due = set(frame_steps(self.total_steps))
        self._hold()
        records = train(self.net, data, self.recipe.training, device=self.recipe.device)
        while not self.cancelled:
            self._hold()
            with AT_ONCE, one_thread(is_small(self.net, self.recipe.training.batch)):
                if self._advance(records, due):
                    return

    def _hold(self) -> None:
        """Wait until another frame is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self.cancelled or len(self.frames) < self._wanted)

    def _advance(self, records, due: set[int]) -> bool:
        """Train until the next frame is due and take it; True at the end."""
        for record in records:
            if self.cancelled:
                return True
            if isinstance(record, Stopped):
                if self._records:
                    self._take()
                with self._changed:
                    self.stopped = record
                return True
            self._records.append(record)
            ends_epoch = isinstance(record, Step) and record.step % self.per_epoch == 0
            if record.step in due and not ends_epoch:  # at the end of an epoch its measurements come first
                self._take()
                return False
        return True

    def _take(self) -> None:
        frame = self.framer.frame(self._records)
        weights = {name: value.detach().to("cpu", copy=True) for name, value in self.net.state_dict().items()}
        with self._changed:
            self._records = []
            self._weights = weights
            self.frames.append(frame)
            self._changed.notify_all()


def restored(recipe: Recipe, state: State) -> nn.Module:
    """The recipe's network with the weights and γ of a state, or as initialised where there are none yet."""
    net = build(recipe.net, recipe.seed)
    if state.weights:
        net.load_state_dict(state.weights)
    if any(gamma is not None for gamma in state.gammas):
        set_gamma(net, state.gammas)
    return net.eval()
