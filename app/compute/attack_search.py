"""A black-box attack as it goes: the best input so far, now and then, while it asks."""

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue

import numpy as np
import torch
from torch import Generator, Tensor, nn

from app.compute.attack_supply import Haste
from kwta.attacks.losses import margin
from kwta.attacks.propose import Attack, propose
from kwta.attacks.trace import Step
from kwta.patterns import hamming, patterns
from kwta.threats import Threat

# Moments of a search that are shown.
MOMENTS = 40
# Seconds between two looks at whether a search that waits is still wanted.
GLANCE = 0.2


class _GivenUp(Exception):  # noqa: N818 (nothing went wrong)
    """Ends a search that nobody follows."""


class _Watched(nn.Module):
    """The network, which tells of `every`-th question and of the last one; it waits until somebody listens."""

    def __init__(self, net: nn.Module, labels: Tensor, every: int) -> None:
        super().__init__()
        self._asked: list[nn.Module] = [net]  # in a list: no part of this module, whose mode it keeps
        self.labels, self.every, self.n = labels, every, 0
        self.best: tuple[Tensor, Tensor] | None = None
        self.told: Queue[tuple[int, Tensor, Tensor] | Exception | None] = Queue(maxsize=2)
        self.given_up = threading.Event()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        Haste.keep()
        logits = self._asked[0](x)
        self.n += 1
        if self.best is None or margin(logits, self.labels)[0] > margin(self.best[1], self.labels)[0]:
            self.best = x.clone(), logits
        fooled = logits.argmax(dim=1)[0] != self.labels[0]
        if self.n == 1 or self.n % self.every == 0 or fooled:
            self.tell((self.n, *self.best))
        return logits

    def tell(self, word: tuple[int, Tensor, Tensor] | Exception | None) -> None:
        while not self.given_up.is_set():
            try:
                return self.told.put(word, timeout=GLANCE)
            except Full:
                continue
        raise _GivenUp


def steps(
    spec: Attack, net: nn.Module, x: Tensor, labels: Tensor, threat: Threat, generator: Generator, budget: int
) -> Iterator[Step]:
    """The input itself, then the best one after each fortieth of the budget, and where the network is fooled.

    One input. It runs in a thread of its own, a little ahead of who asks; when this iterator is closed, it ends.
    """
    with torch.no_grad():
        logits = net(x)
    before = _step(0, net, x, logits, labels, None, 0)
    yield before
    if before.prediction[0] != labels[0]:
        return
    watched = _Watched(net, labels, max(budget // MOMENTS, 1))

    def search() -> None:
        try:
            propose(spec, watched, x, labels, threat, generator)
            watched.tell(None)
        except _GivenUp:
            pass
        except ValueError as error:
            watched.tell(error)

    thread = threading.Thread(target=search, name="kwta-search", daemon=True)
    thread.start()
    try:
        for index, (n, found, logits) in enumerate(_words(watched, thread), start=1):
            before = _step(index, net, found, logits, labels, before, n)
            yield before
    finally:
        watched.given_up.set()


def _words(watched: _Watched, thread: threading.Thread) -> Iterator[tuple[int, Tensor, Tensor]]:
    while True:
        try:
            word = watched.told.get(timeout=GLANCE)
        except Empty:
            if not thread.is_alive():
                raise RuntimeError("the search ended without a word") from None
            continue
        if word is None:
            return
        if isinstance(word, Exception):
            raise word
        yield word


def _step(index: int, net: nn.Module, x: Tensor, logits: Tensor, labels: Tensor, before: Step | None, n: int) -> Step:
    """What `attacks.trace` says of a place, as far as a search knows it: no gradient, and the loss is the margin."""
    now = patterns(net, x)
    then = now if before is None else patterns(net, before.x)
    value = margin(logits, labels).numpy()
    return Step(
        index=index,
        x=x.numpy(),
        logits=logits.numpy(),
        loss=value,
        margin=value,
        prediction=logits.argmax(dim=1).numpy(),
        gradient_norm=np.full(1, np.nan),
        turn=np.full(1, np.nan),
        changes=np.stack([hamming(a, b) for a, b in zip(now, then, strict=True)], axis=1).astype(np.int64),
        borders=None,
        queries=np.full(1, n, np.int64),
    )
