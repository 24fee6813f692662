"""Training runs, cached by recipe and shared by all viewers."""

import streamlit as st

from app.compute import Unusable, data, packing, recipes
from app.compute.runs import Recipe, Run
from kwta.networks import to_bytes

# Runs at hand at a time, over all viewers; the frames and weights of a large one take a few hundred megabytes.
RUNS = 16


@st.cache_resource(max_entries=RUNS, on_release=Run.cancel, show_spinner=False)
def run(recipe: Recipe) -> Run:
    """The one run of this recipe, shared by all viewers."""
    return Run(recipe, data.data(recipe.data))


def chunk(pair: recipes.Pair, have: int) -> bytes:
    """The frames of both runs from `have` on, as `packing.packed` describes."""
    return packing.packed([run(pair.left), run(pair.right)], recipes.key(pair), have, data.data(pair.left.data))


def checkpoint(recipe: Recipe) -> bytes:
    """The network of a run as of its last frame: weights and spec, see `kwta.networks.to_bytes`."""
    try:
        return to_bytes(run(recipe).network())
    except ValueError as error:  # weights that are no longer finite
        raise Unusable(f"there is no network to save: {error}") from error


def file_name(recipe: Recipe) -> str:
    """A name that says what is in the file."""
    gamma = "relu" if recipe.net.gamma is None else f"gamma{recipe.net.gamma}"
    return f"kwta_{recipe.data}_{gamma}_seed{recipe.seed}.safetensors"
