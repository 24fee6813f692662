"""How a network came to be: the record that travels with its weights."""

import platform
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from kwta import __version__, devices
from kwta.cli.console import plain
from kwta.datasets import Data
from kwta.training import Epoch, Stopped, Training


def training_record(
    data: Data, plan: Training, device: torch.device, epochs: list[Epoch], stopped: Stopped
) -> dict[str, Any]:
    """What travels with the weights."""
    return plain(
        {
            "data": asdict(data.spec),
            "classes": data.classes,
            "training": asdict(plan),
            "device": devices.describe(device),
            "epochs": [asdict(epoch) for epoch in epochs],
            "stopped": asdict(stopped),
            "versions": _versions(),
        }
    )


def _versions() -> dict[str, str]:
    libraries = {"kwta": __version__, "torch": torch.__version__, "numpy": np.__version__}
    return {**libraries, "python": platform.python_version(), "system": platform.platform()}
