"""The two ways in which a command ends badly, both told in one line; anything else is a mistake of ours."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# How torch begins to say that the CPU has no memory left, a plain RuntimeError.
CPU_ALLOCATOR = "DefaultCPUAllocator: "


class UsageError(Exception):
    """What the command line asks for is not allowed or not there; exit code 2."""


class FailedError(Exception):
    """It was tried and did not work; exit code 1."""


@contextmanager
def misuse() -> Iterator[None]:
    """A ValueError inside is a refusal of what was asked for."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextmanager
def failure() -> Iterator[None]:
    """A ValueError inside comes from what a file holds or from what training made of it."""
    try:
        yield
    except ValueError as error:
        raise FailedError(str(error)) from error


def lacks_memory(error: Exception) -> bool:
    """Whether Python, NumPy or torch failed to allocate memory, on the CPU or a CUDA device."""
    torch = sys.modules.get("torch")  # before it is imported, nothing can have raised its errors
    exhausted = () if torch is None else (torch.OutOfMemoryError,)
    return isinstance(error, (MemoryError, *exhausted)) or CPU_ALLOCATOR in str(error)
