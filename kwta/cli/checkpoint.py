"""Checkpoints as the commands name them: folders that hold one, and folders that may take one."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kwta.cli.failures import FailedError, UsageError, failure
from kwta.networks import Network, info, load, save
from kwta.networks.checkpoint import SPEC, WEIGHTS


def header(folder: str) -> dict[str, Any]:
    """What a checkpoint says about itself. Raises UsageError if there is none, FailedError if it is damaged."""
    _check_there(folder)
    with _damage(folder):
        return info(folder)


def network(folder: str) -> Network:
    """The network of a checkpoint. Raises UsageError if there is none, FailedError if it is damaged."""
    _check_there(folder)
    with _damage(folder):
        return load(folder)


def is_there(folder: str) -> bool:
    """Whether the folder holds a checkpoint, or at least a file that is called like one's."""
    return any(Path(folder, name).exists() for name in (SPEC, WEIGHTS))


def check_target(folder: str) -> None:
    """Before hours of training: raises UsageError where saving cannot work or would destroy other files."""
    path = Path(folder)
    if is_there(folder):
        try:
            info(folder)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{folder} holds a {SPEC} or {WEIGHTS} that is no checkpoint; name another folder"
            ) from error
    ancestor = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not ancestor.is_dir():
        raise UsageError(f"--out must name a folder, but {ancestor} is a file")
    if not os.access(ancestor, os.W_OK):
        raise UsageError(f"--out must name a folder that can be written to; {ancestor} cannot")


def write(net: Network, folder: str, record: dict[str, Any]) -> None:
    """Save the network; Ctrl+C waits until both files are there. Raises FailedError if it cannot be saved."""
    with failure(), _uninterrupted(f"interrupted, when {folder} had been saved"):
        save(net, folder, record)


def _check_there(folder: str) -> None:
    if not is_there(folder):
        raise UsageError(
            f"{folder} holds no checkpoint: there is no {WEIGHTS} in it; name a folder that train --out has made"
        )


@contextmanager
def _damage(folder: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise FailedError(f"the checkpoint {folder} is damaged: {error}") from error


@contextmanager
def _uninterrupted(message: str) -> Iterator[None]:
    """Hold Ctrl+C back until the block is done; only the main thread ever sees it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt(message)
