"""Items made one after another in the background, as far as somebody asks, and shared by all who do."""

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from app.compute import Unusable

T = TypeVar("T")

# Seconds for which items are made after the last page has asked for them.
PATIENCE = 1.5
# More items than anything here has.
MANY = 1_000_000
# Threads that make items at a time, over all viewers, so that the script threads still get a core and the GIL.
AT_ONCE = threading.Semaphore(2)


_alive: "weakref.WeakSet[Supply]" = weakref.WeakSet()


@atexit.register
def end_all(seconds: float = 5.0) -> None:
    """Let all threads end: one that is in torch when the interpreter ends would abort it."""
    for supply in list(_alive):
        supply.end(seconds)


class Supply(Generic[T]):
    """The items of an iterator. They only ever grow, so reading them needs no lock; `make` starts at the first wish.

    A thread works while items are wanted and somebody has asked within PATIENCE; what is begun goes on at the next
    wish. error: what ended it early, in words.
    """

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self.items: list[T] = []
        self.is_whole = False
        self.error = ""
        self._make = make
        self._rest: Iterator[T] | None = None
        self._wanted, self._asked = 0, 0.0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        _alive.add(self)

    def want(self, n: int) -> None:
        """Go on until there are n items."""
        with self._changed:
            self._wanted, self._asked = max(self._wanted, n), time.monotonic()
            if self._thread is None and self._is_wanted():
                self._thread = threading.Thread(target=self._work, name="kwta-attack", daemon=True)
                self._thread.start()

    def wait(self, n: int, seconds: float) -> None:
        """Wait until there are n items, no more come, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.items) >= n or self.is_whole, timeout=seconds)

    def whole(self, seconds: float) -> list[T]:
        """All items, asked for again and again until they are there; those made so far when the time is over."""
        deadline = time.monotonic() + seconds
        while not self.is_whole and time.monotonic() < deadline:
            self.want(len(self.items) + MANY)
            self.wait(len(self.items) + MANY, PATIENCE / 2)
        return list(self.items)

    def end(self, seconds: float) -> None:
        """Make nothing more, and wait until the item at hand is made."""
        with self._changed:
            self._wanted, thread = 0, self._thread
        if thread is not None:
            thread.join(seconds)

    def _is_wanted(self) -> bool:
        return not self.is_whole and len(self.items) < self._wanted and time.monotonic() - self._asked <= PATIENCE

    def _work(self) -> None:
        while self._goes_on():
            with AT_ONCE:
                item, error = self._next()
            with self._changed:
                if item is not None:
                    self.items.append(item)
                else:
                    self.is_whole, self.error, self._rest = True, error, None
                self._changed.notify_all()

    def _goes_on(self) -> bool:
        with self._changed:
            if self._is_wanted():
                return True
            self._thread = None
            return False

    def _next(self) -> tuple[T | None, str]:
        try:
            self._rest = self._rest or self._make()
            return next(self._rest, None), ""
        except Unusable as error:
            return None, str(error)
        except Exception as error:  # whatever ends the thread is shown to whoever watches
            return None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
