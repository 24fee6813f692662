"""A run that goes on where it was broken off: its state in a file beside the checkpoint, replaced after every epoch."""

import os
from collections.abc import Callable
from pathlib import Path

from kwta.cli.failures import FailedError, failure
from kwta.training import State
from kwta.training.state import from_bytes, to_bytes

FILE = "training.safetensors"


def kept(folder: str | None) -> State | None:
    """The state in the folder, or None. Raises FailedError if it is damaged."""
    path = None if folder is None else Path(folder, FILE)
    if path is None or not path.is_file():
        return None
    with failure():
        try:
            return from_bytes(path.read_bytes())
        except ValueError as error:
            raise FailedError(f"{path} is damaged: {error}; delete it to start anew") from error


def keeper(folder: str | None) -> Callable[[State], None] | None:
    """What writes a state to the folder in one step, so that a process killed at any moment leaves a whole one."""
    if folder is None:
        return None

    def keep(state: State) -> None:
        path = Path(folder, FILE)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".writing")
        with fresh.open("wb") as file:
            file.write(to_bytes(state))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)

    return keep


def forget(folder: str) -> None:
    """Remove the state of a run that is over."""
    Path(folder, FILE).unlink(missing_ok=True)
