"""The IDX format of MNIST: two zero bytes, type, number of dimensions, their big-endian sizes, then the values.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

UBYTE = 0x08
GZIP = 31  # zlib's window setting that expects a gzip header


def read(path: Path, dims: int) -> UInt8[ndarray, "..."]:
    """The array of unsigned bytes with `dims` dimensions in a gzipped IDX file.

    Raises ValueError if the file is damaged, is no such array, or is shorter or longer than its header says.
    """
    content = _unzipped(path)
    head = 4 + 4 * dims
    magic = bytes((0, 0, UBYTE, dims))
    if content[:4] != magic or len(content) < head:
        raise ValueError(
            f"{path} starts with {content[:4].hex(' ') or 'nothing'}; "
            f"unsigned bytes in {dims} dimensions start with {magic.hex(' ')}"
        )
    shape = struct.unpack(f">{dims}I", content[4:head])
    if len(content) - head != math.prod(shape):
        raise ValueError(
            f"{path} holds {len(content) - head} values; its header announces {' × '.join(map(str, shape))}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


def _unzipped(path: Path) -> bytes:
    packed = path.read_bytes()
    stream = zlib.decompressobj(GZIP)
    try:
        content = stream.decompress(packed) + stream.flush()
    except zlib.error as problem:
        raise ValueError(f"{path} is no intact gzip file: {problem}") from problem
    if not stream.eof:
        raise ValueError(f"{path} is cut off: its gzip stream has no end")
    return content
