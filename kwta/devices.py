"""Which device the numbers live on."""

import os

import torch


def available() -> tuple[str, ...]:
    """The device names usable here, the preferred one first."""
    names = [
        name
        for name, usable in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
        if usable
    ]
    return (*names, "cpu")


def pick(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is the environment variable KWTA_DEVICE or else the best: CUDA, MPS, CPU.

    A name may carry the number of the device: cuda:1. Raises ValueError if that device is not usable here.
    """
    wanted = os.environ.get("KWTA_DEVICE", "auto") if name == "auto" else name
    usable = available()
    if wanted == "auto":
        return torch.device(usable[0])
    allowed = [known for kind in usable for known in (kind, *_numbered(kind))]
    if wanted not in allowed:
        raise ValueError(f"the device must be auto or one of {', '.join(allowed)}, got {wanted!r}")
    return torch.device(wanted)


def _numbered(kind: str) -> list[str]:
    """The devices of one kind by their numbers; torch takes any number and fails much later."""
    return [f"{kind}:{index}" for index in range(torch.cuda.device_count() if kind == "cuda" else 1)]


def describe(device: torch.device) -> str:
    """A name for people, such as "CPU, 2 threads" or the GPU's own."""
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "Apple GPU (MPS)"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads != 1 else ''}"
