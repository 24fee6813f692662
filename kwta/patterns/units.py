"""How often each unit wins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from kwta.patterns.winners import Patterns


@dataclass(frozen=True, eq=False)
class Usage:
    """`frequency[l]` [n_l]: the fraction of the `n_inputs` inputs for which each unit of layer l wins."""

    frequency: tuple[Float[ndarray, "_"], ...]
    n_inputs: int

    @property
    def dead(self) -> tuple[Int[ndarray, "_"], ...]:
        """Per layer, the units that win for none of these inputs."""
        return tuple(np.flatnonzero(frequency == 0) for frequency in self.frequency)

    @property
    def constant(self) -> tuple[Int[ndarray, "_"], ...]:
        """Per layer, the units that win for every one of these inputs."""
        return tuple(np.flatnonzero(frequency == 1) for frequency in self.frequency)


def usage(patterns: Patterns) -> Usage:
    """The fraction of inputs for which each unit wins. Under k-WTA it sums to k over a layer."""
    return Usage(tuple(layer.mean(axis=0) for layer in patterns), len(patterns[0]))
