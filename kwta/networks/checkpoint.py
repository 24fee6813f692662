"""Networks on disk: weights as safetensors, everything else as JSON; nothing is ever unpickled.

A folder holds `weights.safetensors`, complete in itself with the header in its metadata, and `spec.json`, the same
header for people and for tools that only want to look. Where the two differ the safetensors file is right: it is
replaced first, in one step, so that a process killed at any moment leaves a whole network, the older or the newer one.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors
from torch import Tensor, nn

from kwta.networks.header import described, header_of
from kwta.networks.json_form import parse
from kwta.networks.network import Network

WEIGHTS, SPEC = "weights.safetensors", "spec.json"
METADATA = "kwta"  # the header's key in the metadata of the safetensors file
MAX_BYTES = 64 * 2**20  # of an uploaded file: a network of sixteen million parameters


def save(net: nn.Module, folder: str | Path, record: dict[str, Any] | None = None) -> None:
    """Write the network to a folder, which is made if needed; an older checkpoint in it is replaced.

    record: JSON values to keep with it, such as data name and accuracies; None keeps `net.record`. Both files are
    complete before the first of them appears under its name.

    Raises ValueError if it could not be read back: no spec, layers that do not fit it, weights that are not finite,
    dtypes other than float32 and float64, a record that is not JSON.
    """
    header = header_of(net, record)
    files = {WEIGHTS: _packed(net, header), SPEC: (json.dumps(header, indent=2) + "\n").encode()}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
        for name, content in files.items():
            _write(Path(temporary, name), content)
        for name in files:
            os.replace(Path(temporary, name), folder / name)


def load(folder: str | Path) -> Network:
    """The network saved in a folder, on the CPU and in evaluation mode; its outputs are equal to the last bit.

    `net.spec`, `net.seed`, `net.record` and the current γ of each layer come back as well.

    The header is the one in `weights.safetensors`; only if that has none, as other programs write it, `spec.json` is
    read. Raises OSError if a file that is needed is missing, and ValueError with the reason if it is broken or weights
    and spec do not fit.
    """
    data = (Path(folder) / WEIGHTS).read_bytes()
    return _filled(described(_header(data, folder)), data)


def info(folder: str | Path) -> dict[str, Any]:
    """The header of a saved network, without reading its weights: spec, seed, dtype, gammas, record, version.

    It is the header that `load` goes by; without `weights.safetensors` that of `spec.json`. Raises OSError if both
    files are missing and ValueError if the header is broken.
    """
    weights = Path(folder) / WEIGHTS
    header = _header(_beginning(weights), folder) if weights.exists() else parse((Path(folder) / SPEC).read_bytes())
    described(header)
    assert isinstance(header, dict)
    return header


def to_bytes(net: nn.Module, record: dict[str, Any] | None = None) -> bytes:
    """The network as one safetensors file with its header in the metadata. Raises ValueError as `save`."""
    return _packed(net, header_of(net, record))


def from_bytes(data: bytes, max_bytes: int = MAX_BYTES) -> Network:
    """The network written by `to_bytes`, or a folder's `weights.safetensors`; see `load`.

    Raises ValueError with the reason if there are more than `max_bytes`, or the file is broken or does not fit.
    """
    if len(data) > max_bytes:
        raise ValueError(f"the file has {len(data):,} bytes, allowed are {max_bytes:,}")
    header = _metadata(data)
    if header is None:
        raise ValueError("the safetensors file has no spec in its metadata; load it from a folder with a spec.json")
    return _filled(described(header), data)


def _packed(net: nn.Module, header: dict[str, Any]) -> bytes:
    tensors = {name: values.detach().cpu().contiguous() for name, values in net.state_dict().items()}
    _check_fit(tensors, described(header))
    return written_tensors(tensors, {METADATA: json.dumps(header)})


def _filled(net: Network, data: bytes) -> Network:
    """The network, so far only described, with the tensors of a safetensors file."""
    tensors = _tensors(data)
    _check_fit(tensors, net)
    net.to_empty(device="cpu").load_state_dict(tensors)
    return net.eval()


def _tensors(data: bytes) -> dict[str, Tensor]:
    try:
        return read_tensors(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"not a complete safetensors file: {error}") from error


def _header(data: bytes, folder: str | Path) -> object:
    """The header in the beginning of a safetensors file, or else the one beside it."""
    inside = _metadata(data)
    return parse((Path(folder) / SPEC).read_bytes()) if inside is None else inside


def _beginning(path: Path) -> bytes:
    """A safetensors file up to the end of its own header, hence without weights."""
    with path.open("rb") as file:
        length = file.read(8)
        return length + file.read(min(int.from_bytes(length, "little"), path.stat().st_size))


def _metadata(data: bytes) -> object | None:
    """The header in a safetensors file: 8 bytes of length, little endian, then JSON with an entry `__metadata__`."""
    end = 8 + int.from_bytes(data[:8], "little")
    if not 8 < end <= len(data):
        raise ValueError("not a complete safetensors file: it ends before its header does")
    entries = parse(data[8:end])
    metadata = entries.get("__metadata__", {}) if isinstance(entries, dict) else {}
    return parse(metadata[METADATA]) if isinstance(metadata, dict) and METADATA in metadata else None


def _check_fit(tensors: dict[str, Tensor], net: Network) -> None:
    """Refuse tensors that are not exactly those of the network: names, shapes, dtypes, finite values."""
    expected = net.state_dict()
    for name in sorted(expected.keys() - tensors.keys()):
        raise ValueError(f"tensor {name} of the spec is missing")
    for name in sorted(tensors.keys() - expected.keys()):
        raise ValueError(f"tensor {name} is not in the spec")
    for name, described_as in expected.items():
        values = tensors[name]
        if values.shape != described_as.shape:
            raise ValueError(f"tensor {name} has the shape {_shape(values)}, the spec says {_shape(described_as)}")
        if values.dtype != described_as.dtype:
            raise ValueError(f"tensor {name} is {values.dtype}, the header says {described_as.dtype}")
        if not torch.isfinite(values).all():
            raise ValueError(f"tensor {name} holds values that are not finite")


def _shape(values: Tensor) -> str:
    return "×".join(map(str, values.shape)) or "scalar"


def _write(path: Path, content: bytes) -> None:
    """Write through to the disk, so that a file that has its final name is complete even after a power cut."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
