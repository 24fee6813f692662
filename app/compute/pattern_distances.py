"""How far apart the patterns of inputs are: within a class, between classes, and when an input is perturbed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from app.compute import data, trained
from app.compute.frames import samples
from app.compute.trained import Which
from kwta.patterns import Measure, Norm, distances, patterns, under_perturbation

MEASURES = {"hamming": "Hamming", "jaccard": "Jaccard"}
# Test inputs whose patterns are compared in pairs, classes in turn; fewer where their masks would exceed MASKS entries.
INPUTS, MASKS = 400, 2**25
PAIRS = 2000
# Perturbed inputs, and δ for each.
PERTURBED, DELTAS = 40, 25
# Results kept, over all viewers: 8 layers of 5,000 numbers are 0.3 MB.
KEPT = 32


@dataclass(frozen=True)
class Query:
    """Which distances: of which network, in which measure, and for δ of which radius, norm and seed."""

    which: Which
    measure: Measure
    radius: float
    norm: Norm
    seed: int
    kind: Literal["query"] = "query"


@dataclass(frozen=True, eq=False)
class Histograms:
    """Distances per hidden layer: `within[l]`, `between[l]` and `perturbed[l]`, one number for each pair of inputs.

    Hamming: units, out of widths[l]; Jaccard: 1 − J. n_inputs: test inputs that the pairs are made of; n_perturbed of
    them are perturbed, by n_deltas δ each.
    """

    query: Query
    widths: tuple[int, ...]
    n_inputs: int
    n_perturbed: int
    n_deltas: int
    within: tuple[np.ndarray, ...]
    between: tuple[np.ndarray, ...]
    perturbed: tuple[np.ndarray, ...]


@st.cache_data(max_entries=KEPT, show_spinner="Comparing patterns …")
def histograms(query: Query) -> Histograms:
    """The distances that the query asks for. The network must be done with its training."""
    net = trained.snapshot(query.which).net
    known = data.data(query.which.recipe.data)
    widths = query.which.recipe.net.sizes
    n_inputs = max(2 * known.n_classes, min(INPUTS, len(known.x_test), MASKS // sum(widths)))
    chosen = samples(known, n_inputs)
    pairs = distances(patterns(net, known.x_test[chosen]), known.labels_test[chosen], PAIRS, 0, query.measure)
    some = known.x_test[chosen[:PERTURBED]]
    moved = under_perturbation(
        net, some, query.radius, query.norm, DELTAS, query.seed, known.box, query.measure
    ).distances
    flat = tuple(layer.ravel() for layer in moved)
    return Histograms(query, widths, len(chosen), len(some), DELTAS, pairs.within, pairs.between, flat)
