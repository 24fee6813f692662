"""How many threads torch works with in a command: a small network gains nothing from a second one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kwta.networks import Network

SMALL = 2_000_000  # parameters


@contextmanager
def few(net: Network) -> Iterator[None]:
    """One thread for a small network: on a busy machine threads that wait for each other made it fifty times slower."""
    before = torch.get_num_threads()
    assert net.spec is not None
    torch.set_num_threads(1 if net.spec.n_parameters < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
