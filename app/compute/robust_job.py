"""Judging in the background: in a thread of its own, while somebody watches, shared by all who ask the same."""

import atexit
import threading
import time
import weakref

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.compute import robust_cost, robust_trial
from app.compute.robust_plan import Question
from app.compute.robust_trial import Trial
from app.compute.threads import one_thread

# A page asks every second. Browsers let one that is not in sight ask once a minute only, and it is still watched.
PATIENCE = 75.0
# One slice of attack at a time, over all viewers: a second one would only make both slower.
TURN = threading.Lock()
KEPT = 32
WATCHER = "_robust_watcher"


class Job:
    """All trials of a question, one after the other."""

    def __init__(self, asked: Question, trials: tuple[Trial, ...]) -> None:
        self.asked, self.trials = asked, trials
        self.is_waiting = False
        self._watchers: weakref.WeakKeyDictionary[Watcher, float] = weakref.WeakKeyDictionary()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._changed = threading.Condition()
        _alive.add(self)

    @property
    def is_done(self) -> bool:
        return all(trial.is_done for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Spent on what is there, in this job or in others that share it."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def current(self) -> Trial | None:
        """The trial under way, or the next."""
        return next((trial for trial in self.trials if not trial.is_done), None)

    @property
    def share(self) -> float:
        """How much of the work is done, by the model of its cost."""
        recipes = {r: t for t in reversed(self.trials) for r in (t.asked.twin, t.asked.recipe)}
        costs = {recipe: robust_cost.training(recipe) for recipe in recipes}
        trained = {r: max(t.share(r) for t in self.trials) for r in recipes}
        work = [(robust_cost.attacking(t.asked), t.work, t.is_done) for t in self.trials]
        done = sum(costs[r] * trained[r] for r in recipes) + sum(w if over else d for w, d, over in work)
        return min(1.0, done / (sum(costs.values()) + sum(w for w, _, _ in work)))

    def want(self, watcher: "Watcher") -> None:
        """Go on: somebody is watching."""
        with self._changed:
            self._watchers[watcher] = time.monotonic()
            if self._thread is None and not self.is_done and not self._stopped:
                self._thread = threading.Thread(target=self._work, name="kwta-robustness", daemon=True)
                self._thread.start()

    def let_go(self, watcher: "Watcher") -> None:
        """This one does not watch any more."""
        with self._changed:
            self._watchers.pop(watcher, None)

    def is_watched(self) -> bool:
        """Whether anybody wants it to go on."""
        now = time.monotonic()
        return any(now - asked <= PATIENCE for asked in list(self._watchers.values()))

    def wait(self, seconds: float) -> None:
        """Wait until nothing is being done, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None, timeout=seconds)

    def stop(self) -> None:
        """Go no further, whoever watches."""
        self._stopped = True

    def _next(self) -> Trial | None:
        with self._changed:
            found = self.current if self.is_watched() and not self._stopped else None
            if found is None:
                self._thread = None
                self._changed.notify_all()
            return found

    def _work(self) -> None:
        try:
            while (trial := self._next()) is not None:
                self._advance(trial)
        finally:
            with self._changed:
                self._thread = None
                self._changed.notify_all()

    def _advance(self, trial: Trial) -> None:
        self.is_waiting = not TURN.acquire(timeout=0.5)
        if self.is_waiting:
            return
        try:
            with one_thread():
                trial.advance()
        finally:
            TURN.release()


class Watcher:
    """A session as far as it judges: it watches one job, and lets go of the one before."""

    def __init__(self) -> None:
        self._job: Job | None = None

    def watch(self, job: Job) -> None:
        """Let this job go on, and no other of this session."""
        if self._job is not job:
            self.rest()
        self._job = job
        job.want(self)

    def rest(self) -> None:
        """Watch nothing: what nobody else watches goes no further."""
        if self._job is not None:
            self._job.let_go(self)
        self._job = None

    def cancel(self, found: Job) -> None:
        """Let go, and where nobody else watches forget the columns that are not whole."""
        self.rest()
        found.let_go(self)
        if not found.is_watched():
            found.stop()
            job.clear(found.asked)
            for one in found.trials:
                if not one.is_done:
                    robust_trial.trial.clear(one.asked)


_alive: "weakref.WeakSet[Job]" = weakref.WeakSet()


@atexit.register
def end_all(seconds: float = 5.0) -> None:
    """Stop all jobs and wait for their threads: one that is in torch when the interpreter ends would abort it."""
    jobs = list(_alive)
    for one in jobs:
        one.stop()
    for one in jobs:
        one.wait(seconds)


@st.cache_resource(max_entries=KEPT, on_release=Job.stop, show_spinner=False)
def job(asked: Question) -> Job:
    """The one job of this question, shared by all viewers; it begins when somebody watches it."""
    return Job(asked, tuple(robust_trial.trial(part) for part in asked.parts))


def watcher() -> Watcher:
    """This session's; outside of one, a new one."""
    if get_script_run_ctx() is None:
        return Watcher()
    if WATCHER not in st.session_state:
        st.session_state[WATCHER] = Watcher()
    return st.session_state[WATCHER]
