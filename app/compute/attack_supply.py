"""Items made one after another in the background, as far as somebody asks, and shared by all who do."""

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

from app.compute import Unusable

T = TypeVar("T")

# Seconds for which items are made after the last page has asked for them.
PATIENCE = 1.5
# More items than anything here has.
MANY = 1_000_000
# Seconds for which the makers rest at most while somebody waits: in a full hall somebody always does.
LONGEST = 0.3
# Threads that make items at a time, over all viewers, so that the script threads still get a core and the GIL.
AT_ONCE = threading.Semaphore(2)


_alive: "weakref.WeakSet[Supply]" = weakref.WeakSet()
_named: "weakref.WeakValueDictionary[str, Supply]" = weakref.WeakValueDictionary()


@atexit.register
def end_all(seconds: float = 5.0) -> None:
    """Let all threads end: one that is in torch when the interpreter ends would abort it."""
    for supply in list(_alive):
        supply.end(seconds)


class Haste:
    """`with Haste(): …`: somebody waits for an answer. Until it is there nothing else is begun: all share the cores.

    Where one follows another without a gap, that holds for the first LONGEST seconds only.
    """

    _over = threading.Condition()
    _waiting, _began = 0, 0.0

    def __enter__(self) -> None:
        with Haste._over:
            if not Haste._waiting:
                Haste._began = time.monotonic()
            Haste._waiting += 1

    def __exit__(self, *_: object) -> None:
        with Haste._over:
            Haste._waiting -= 1
            if not Haste._waiting:
                Haste._over.notify_all()

    @classmethod
    def keep(cls) -> None:
        """Wait until nobody waits."""
        if cls._waiting:
            with cls._over:
                patience = cls._began + LONGEST - time.monotonic()
                cls._over.wait_for(lambda: not cls._waiting, timeout=max(patience, 0.0))


def let_go(names: Collection[str]) -> None:
    """Make no more of the supplies of these names, unless somebody asks again."""
    for name in names:
        if supply := _named.get(name):
            supply.rest()


class Supply(Generic[T]):
    """The items of an iterator. They only ever grow, so reading them needs no lock; `make` starts at the first wish.

    A thread works while items are wanted and somebody has asked within PATIENCE; what is begun goes on at the next
    wish. error: what ended it early, in words.
    """

    def __init__(self, make: Callable[[], Iterator[T]], name: str = "") -> None:
        self.name = name
        self.items: list[T] = []
        self.is_whole = False
        self.error = ""
        self._make = make
        self._rest: Iterator[T] | None = None
        self._wanted, self._asked = 0, 0.0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._making = threading.Lock()  # by one thread at a time
        _alive.add(self)
        if name:
            _named[name] = self

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

    def hurry(self, n: int, seconds: float) -> None:
        """Make items here and now until there are n, no more come, or the time is over."""
        deadline = time.monotonic() + seconds
        while len(self.items) < n and not self.is_whole and time.monotonic() < deadline:
            self._make_one(upto=n)

    def rest(self) -> None:
        """Make nothing more, unless somebody asks again."""
        with self._changed:
            self._wanted = 0

    def whole(self, seconds: float) -> list[T]:
        """All items, asked for again and again until they are there; those made so far when the time is over."""
        deadline = time.monotonic() + seconds
        while not self.is_whole and time.monotonic() < deadline:
            self.want(len(self.items) + MANY)
            self.wait(len(self.items) + MANY, PATIENCE / 2)
        return list(self.items)

    def end(self, seconds: float) -> None:
        """Make nothing more, and wait until the item at hand is made."""
        self.rest()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _is_wanted(self) -> bool:
        return not self.is_whole and len(self.items) < self._wanted and time.monotonic() - self._asked <= PATIENCE

    def _work(self) -> None:
        while self._goes_on():
            Haste.keep()
            with AT_ONCE:
                self._make_one(upto=self._wanted)

    def _make_one(self, upto: int) -> None:
        """The next item, unless there are so many already."""
        with self._making:
            if self.is_whole or len(self.items) >= upto:
                return
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
