"""Work that goes on while somebody looks: one thread per maker, one at work at a time, and none while a click waits."""

import threading
import time
from collections.abc import Callable

# Seconds for which things are made after the last page has asked for them.
PATIENCE = 1.5
# Makers at work at the same time, over all viewers; the other core answers clicks.
AT_ONCE = threading.Semaphore(1)
# Seconds for which the background rests after a question, and for which it rests at most.
QUIET, LONGEST = 0.15, 0.6


class Quiet:
    """While somebody waits for an answer nothing is made in the background: the two would share cores and GIL."""

    until = 0.0

    @classmethod
    def begin(cls) -> None:
        cls.until = time.monotonic() + QUIET

    @classmethod
    def keep(cls) -> None:
        """Wait until it is over; not for ever, where many people are at work."""
        patience = time.monotonic() + LONGEST
        while time.monotonic() < min(cls.until, patience):
            time.sleep(0.01)


class Background:
    """Calls `step`, which makes the next thing, again and again until it says that there is none, or nobody asks.

    `changed` guards what is made; whoever makes a thing in it notifies all.
    """

    def __init__(self, name: str, step: Callable[[], bool]) -> None:
        self.changed = threading.Condition()
        self._name, self._step = name, step
        self._asked = 0.0
        self._is_more = True
        self._thread: threading.Thread | None = None

    def want(self) -> None:
        """Go on for a moment."""
        with self.changed:
            self._asked = time.monotonic()
            self._is_more = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, is_there: Callable[[], bool], seconds: float) -> None:
        """Wait until it is there, or nothing more comes, or the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: self._thread is None or is_there(), timeout=seconds)

    def _is_wanted(self) -> bool:
        return time.monotonic() - self._asked <= PATIENCE

    def _work(self) -> None:
        try:
            while self._goes_on():
                Quiet.keep()
                with AT_ONCE:
                    if self._is_wanted() and self._step():  # it may have waited for long
                        self._is_more = True
        finally:
            self._ends()

    def _goes_on(self) -> bool:
        """Whether there is more to make; if not, the thread ends in the same moment, or a wish would be lost."""
        with self.changed:
            if self._is_more and self._is_wanted():
                self._is_more = False  # until the step, or another wish, says so
                return True
            self._ends()
        return False

    def _ends(self) -> None:
        with self.changed:
            if self._thread is threading.current_thread():  # a later wish may have a thread of its own already
                self._thread = None
                self.changed.notify_all()
