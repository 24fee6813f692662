"""Networks from given weights: arrays, or an .npz file of W0, b0, W1, b1, ..."""

import struct
import zlib
from collections.abc import Sequence
from io import BufferedIOBase, BytesIO
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy import ndarray

from kwta.networks.network import Network, unfilled
from kwta.networks.specs import MLP, Gamma

MAX_BYTES = 2**30  # of an .npz file unpacked: a few kilobytes can unpack to terabytes of zeros

# What a damaged or encrypted file makes zipfile, zlib and NumPy raise.
UNREADABLE = (BadZipFile, zlib.error, struct.error, ValueError, RuntimeError, EOFError, OSError, MemoryError, KeyError)


def from_arrays(weights: Sequence[ndarray], biases: Sequence[ndarray], gamma: Gamma) -> Network:
    """f(x) = Wᴸ φ(… φ(W⁰ x + b⁰) …) + bᴸ with the given weights [out, in] and biases [out], copied.

    γ of all hidden layers or one entry each; None is ReLU. float64 is kept, as are whole numbers, in a float64 network;
    otherwise it is float32. Its spec is the MLP of these widths; its seed is None.

    Raises ValueError, naming the array (W0, b0, W1, ...), if shapes do not chain or an entry is no finite number.
    """
    if not weights or len(weights) != len(biases):
        raise ValueError(f"as many biases as weights are needed, at least one; got {len(biases)} and {len(weights)}")
    pairs = zip(weights, biases, strict=True)
    arrays = dict(zip(_names(len(weights)), chain.from_iterable(pairs), strict=True))
    for name, array in arrays.items():
        _check_numbers(name, array)
    _check_chain(weights, biases)
    wide = any(array.dtype.kind in "iu" or array.dtype.itemsize > 4 for array in arrays.values())
    spec = MLP((weights[0].shape[1], *(len(bias) for bias in biases)), gamma)
    net = unfilled(spec, torch.float64 if wide else torch.float32)
    with torch.no_grad():
        for values, array in zip(net.parameters(), arrays.values(), strict=True):
            values.copy_(torch.from_numpy(array.astype(np.float64)))
    return net


def from_npz(file: str | Path | BufferedIOBase, gamma: Gamma) -> Network:
    """`from_arrays` with the arrays W0, b0, W1, b1, ... of an .npz file, given by its path or opened for reading.

    Raises OSError if there is no such file; ValueError if it is no .npz file, unpacks to more than a gibibyte, or lacks
    or adds an array.
    """
    data = file.read() if isinstance(file, BufferedIOBase) else Path(file).read_bytes()
    try:
        arrays = _unpacked(data)
    except UNREADABLE as error:
        raise ValueError(f"cannot read {getattr(file, 'name', file)} as .npz: {error}") from error
    n_layers = max(1, len(arrays) // 2)
    expected = _names(n_layers)
    if set(arrays) != set(expected):
        raise ValueError(f"the arrays must be called {', '.join(expected)}, got {', '.join(sorted(arrays)) or 'none'}")
    return from_arrays([arrays[name] for name in expected[::2]], [arrays[name] for name in expected[1::2]], gamma)


def _unpacked(data: bytes) -> dict[str, ndarray]:
    with ZipFile(BytesIO(data)) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > MAX_BYTES:
        raise ValueError(f"it unpacks to {n_bytes:,} bytes, allowed are {MAX_BYTES:,}")
    with np.load(BytesIO(data), allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    if foreign := [name for name, array in arrays.items() if not isinstance(array, ndarray)]:
        raise ValueError(f"{foreign[0]} is no array")
    return arrays


def _names(n_layers: int) -> list[str]:
    return [f"{letter}{layer}" for layer in range(n_layers) for letter in "Wb"]


def _check_numbers(name: str, array: ndarray) -> None:
    """Refuse what a float64 tensor could not hold as it is, and what is not finite."""
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise ValueError(f"{name} must hold real numbers of at most 64 bits, got {array.dtype}")
    if array.ndim != (2 if name[0] == "W" else 1) or array.size == 0:
        raise ValueError(f"{name} must have the shape {'[out, in]' if name[0] == 'W' else '[out]'}, got {array.shape}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise ValueError(f"{name}{list(place)} is {array[place]}; weights and biases must be finite")


def _check_chain(weights: Sequence[ndarray], biases: Sequence[ndarray]) -> None:
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if len(bias) != len(weight):
            raise ValueError(f"b{layer} has {len(bias)} entries, but W{layer} has {len(weight)} outputs")
        if layer and weight.shape[1] != len(weights[layer - 1]):
            n_before = len(weights[layer - 1])
            raise ValueError(f"W{layer} has {weight.shape[1]} inputs, but W{layer - 1} has {n_before} outputs")
