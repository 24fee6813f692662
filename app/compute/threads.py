"""How many threads torch works with: small steps gain nothing from a second one, and on a busy machine both wait."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

# Parameters times inputs of a batch below which one thread is as fast as two on an idle machine, and several times
# faster on a busy one.
SMALL = 1 << 24


def is_small(net: nn.Module, batch: int) -> bool:
    """Whether a training step of this network is too small to be shared between threads."""
    return batch * sum(parameter.numel() for parameter in net.parameters()) < SMALL


@contextmanager
def one_thread(only: bool = True) -> Iterator[None]:
    """Torch on one thread here, unless `only` is False; then nothing changes.

    Threads that first use torch meanwhile start with one as well; results differ from those of two by rounding.
    """
    if not only:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
