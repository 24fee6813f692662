"""Training runs, cached by recipe and shared by all viewers; and who watches which of them."""

import threading
import weakref
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.compute import Unusable, data, packing, recipes
from app.compute.runs import Recipe, Run, State, restored
from kwta.networks import to_bytes

# Runs at hand at a time, over all viewers; the frames and weights of a large one take a few hundred megabytes.
RUNS = 16
# A session's one job: the runs that stand side by side.
WATCHED = 2
VIEWER = "_viewer"


@st.cache_resource(max_entries=RUNS, on_release=Run.cancel, validate=Run.is_going, show_spinner=False)
def run(recipe: Recipe) -> Run:
    """The one run of this recipe, shared by all viewers; a new one where the last was cancelled."""
    return Run(recipe, data.data(recipe.data))


@dataclass(frozen=True, eq=False)
class Cancelled:
    """How far a pair of runs was when a session cancelled them; another session may still go on with them."""

    pair: recipes.Pair
    runs: tuple[Run, Run]
    states: tuple[State, State]


class Viewer:
    """A session as far as it trains: it watches the runs that it asked for last, and lets go of all others.

    A run that no session watches any more is cancelled, and starts anew when somebody asks for its recipe again. One
    that has come to its own end stays at hand.
    """

    def __init__(self) -> None:
        self.cancelled: Cancelled | None = None
        self._watched: weakref.WeakValueDictionary[Recipe, Run] = weakref.WeakValueDictionary()
        with _lock:
            _viewers.add(self)

    def watch(self, recipe: Recipe) -> Run:
        """The run of this recipe, watched by this session from now on."""
        found = run(recipe)
        with _lock:
            self._watched.pop(recipe, None)
            self._watched[recipe] = found
            self._let_go(list(self._watched)[:-WATCHED])
        return found

    def cancel(self, pair: recipes.Pair) -> None:
        """End both runs for this session where they are; without effect if they have ended by themselves."""
        if self.cancelled and self.cancelled.pair == pair:
            return
        runs = self.watch(pair.left), self.watch(pair.right)
        if not all(one.is_ended for one in runs):
            with _lock:
                self._let_go([pair.left, pair.right])
            self.cancelled = Cancelled(pair, runs, (runs[0].state(), runs[1].state()))

    def again(self) -> None:
        """Forget what was cancelled: the next question starts its runs anew, or joins those who go on with them."""
        self.cancelled = None

    def chunk(self, pair: recipes.Pair, have: int) -> bytes:
        """The frames of both runs from `have` on, as `packing.packed` describes; none after they were cancelled."""
        known = data.data(pair.left.data)
        if self.cancelled and self.cancelled.pair == pair:
            upto = [min(state.frames for state in self.cancelled.states)] * WATCHED  # both at the same epoch
            return packing.packed(list(self.cancelled.runs), recipes.key(pair), have, known, upto)
        self.cancelled = None
        return packing.packed([self.watch(pair.left), self.watch(pair.right)], recipes.key(pair), have, known)

    def checkpoint(self, recipe: Recipe) -> bytes:
        """The network as of the last frame of this session: weights and spec, see `kwta.networks.to_bytes`."""
        pairs = zip(self.cancelled.runs, self.cancelled.states, strict=True) if self.cancelled else ()
        state = next((state for one, state in pairs if one.recipe == recipe), None) or run(recipe).state()
        try:
            return to_bytes(restored(recipe, state))
        except ValueError as error:  # weights that are no longer finite
            raise Unusable(f"there is no network to save: {error}") from error

    def _let_go(self, given_up: list[Recipe]) -> None:
        for one in [self._watched.pop(recipe) for recipe in given_up if recipe in self._watched]:
            if not one.is_ended and not any(one is other for viewer in _viewers for other in viewer._watched.values()):
                one.cancel()


_lock = threading.RLock()
_viewers: "weakref.WeakSet[Viewer]" = weakref.WeakSet()  # a session that ends takes its viewer along


def viewer() -> Viewer:
    """The viewer of this session; outside of one, a viewer of its own."""
    if get_script_run_ctx() is None:
        return Viewer()
    if VIEWER not in st.session_state:
        st.session_state[VIEWER] = Viewer()
    return st.session_state[VIEWER]


def file_name(recipe: Recipe) -> str:
    """A name that says what is in the file."""
    gammas = dict.fromkeys(f"{float(gamma):g}" for gamma in recipe.net.gammas if gamma is not None)
    gamma = f"gamma{'-'.join(gammas)}" if gammas else "relu"
    return f"kwta_{recipe.data}_{gamma}_seed{recipe.seed}.safetensors"
