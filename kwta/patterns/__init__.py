"""A(x), the winner sets of a network's hidden layers: what they are, how they overlap, how they change.

A pattern is one mask per hidden layer; distances are per layer.
"""

from kwta.patterns.changes import Changes, along
from kwta.patterns.classes import Distances, distances
from kwta.patterns.keys import ids, ids_on, packed
from kwta.patterns.overlap import Measure, distance, hamming, jaccard, pairwise_hamming, pairwise_jaccard
from kwta.patterns.perturbation import Norm, Perturbed, perturbed, under_perturbation
from kwta.patterns.units import Usage, usage
from kwta.patterns.winners import Patterns, in_batches, patterns

__all__ = [
    "Changes",
    "Distances",
    "Measure",
    "Norm",
    "Patterns",
    "Perturbed",
    "Usage",
    "along",
    "distance",
    "distances",
    "hamming",
    "ids",
    "ids_on",
    "in_batches",
    "jaccard",
    "packed",
    "pairwise_hamming",
    "pairwise_jaccard",
    "patterns",
    "perturbed",
    "under_perturbation",
    "usage",
]
