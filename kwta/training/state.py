"""A training run between two epochs, so that it can go on in another process, to the same weights bit by bit.

The bytes are one safetensors file: weights, the optimiser's moments and the states of the random generators as tensors,
everything else as JSON in its metadata. Nothing is pickled.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors
from torch import Tensor

from kwta.networks.json_form import ratios_from_json, ratios_to_json
from kwta.training.records import Epoch
from kwta.training.spec import Training

VERSION = 1
METADATA = "training"


@dataclass(frozen=True, eq=False)
class State:
    """Everything that decides how a run goes on.

    training: as `described`. weights: the network's state. moments: the optimiser's, by parameter and name, such as
    "3.momentum_buffer". order, randomness: states of the generators. epochs: the records so far, the 0th included.
    best, idle: the lowest training loss of an epoch, and for how many epochs it has not fallen.
    """

    training: str
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    order: Tensor
    randomness: Tensor
    epochs: tuple[Epoch, ...]
    step: int
    seconds: float
    best: float
    idle: int

    def check(self, spec: Training) -> None:
        """Raises ValueError if the state belongs to another training."""
        if self.training != described(spec):
            raise ValueError(f"the run that was kept is another one: {self.training}; asked for is {described(spec)}")


def described(spec: Training) -> str:
    """The training as one line of JSON."""
    return json.dumps(asdict(spec))


def moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of the optimiser's tensors, by parameter and name."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {f"{i}.{name}": value.clone() for i, entry in state.items() for name, value in entry.items()}


def restore(optimiser: torch.optim.Optimizer, kept: dict[str, Tensor]) -> None:
    """Give an optimiser of the same parameters the moments of another."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in kept.items():
        i, _, name = key.partition(".")
        state.setdefault(int(i), {})[name] = value.clone()
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def to_bytes(state: State) -> bytes:
    """The state as one safetensors file."""
    parts = {"weights": state.weights, "moments": state.moments}
    tensors = {f"{part}.{name}": _own(value) for part, entries in parts.items() for name, value in entries.items()}
    tensors |= {"order": _own(state.order), "randomness": _own(state.randomness)}
    facts = {name: getattr(state, name) for name in ("training", "step", "seconds", "idle")}
    facts |= {"version": VERSION, "best": state.best.hex(), "epochs": [_entry(epoch) for epoch in state.epochs]}
    return written_tensors(tensors, {METADATA: json.dumps(facts)})


def from_bytes(data: bytes) -> State:
    """The state that `to_bytes` has written. Raises ValueError for anything else."""
    try:
        tensors, facts = read_tensors(data), json.loads(_metadata(data)[METADATA])
        if facts["version"] != VERSION:
            raise ValueError(f"its version is {facts['version']}, not {VERSION}")
        return State(
            facts["training"],
            _part(tensors, "weights."),
            _part(tensors, "moments."),
            tensors["order"],
            tensors["randomness"],
            tuple(_epoch(entry) for entry in facts["epochs"]),
            facts["step"],
            facts["seconds"],
            float.fromhex(facts["best"]),
            facts["idle"],
        )
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no training run that could go on: {error}") from error


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _entry(epoch: Epoch) -> dict[str, Any]:
    return {**asdict(epoch), "gammas": ratios_to_json(epoch.gammas)}


def _epoch(entry: dict[str, Any]) -> Epoch:
    return Epoch(**{**entry, "dead": tuple(entry["dead"]), "gammas": ratios_from_json(entry["gammas"])})


def _own(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous()
