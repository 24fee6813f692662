"""CIFAR-10's binary version: a tar archive of records, each a label byte and 3×32×32 bytes of red, green and blue rows.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; layout on the CIFAR-10 page,
"Binary version".
"""

import posixpath
import tarfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"{FOLDER}/data_batch_{number}.bin" for number in range(1, 6))
TEST = f"{FOLDER}/test_batch.bin"
RECORD_BYTES = 1 + 3 * 32 * 32
BATCH_BYTES = 10_000 * RECORD_BYTES  # of an official batch; more is refused unread

Part = tuple[UInt8[ndarray, "_n 3 32 32"], Int64[ndarray, " _n"]]  # each part has its own n


def read(archive: Path) -> tuple[Part, Part]:
    """((images, labels) of the training batches, those of the test batch), read in memory: nothing is unpacked to disk.

    Raises ValueError if the archive is damaged, lacks a batch, or a batch is not made of whole records.
    """
    batches = _members(archive, (*TRAIN, TEST))
    return _records(archive, b"".join(batches[name] for name in TRAIN)), _records(archive, batches[TEST])


def _members(archive: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """The contents of the wanted regular files, in one pass through the archive."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                name = posixpath.normpath(member.name)
                if name in wanted and member.isreg():
                    found[name] = _content(archive, tar, member)
    except (tarfile.TarError, EOFError, zlib.error) as problem:
        raise ValueError(f"{archive} is no intact .tar.gz archive: {problem}") from problem
    if missing := [name for name in wanted if name not in found]:
        raise ValueError(f"{archive} lacks {', '.join(missing)}; the binary version of CIFAR-10 has all six batches")
    return found


def _content(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.size or member.size > BATCH_BYTES or member.size % RECORD_BYTES:
        raise ValueError(
            f"{archive}: {member.name} has {member.size} bytes; a batch is 1 to 10,000 records of {RECORD_BYTES} bytes"
        )
    stream = tar.extractfile(member)
    assert stream is not None  # regular files have content
    return stream.read()


def _records(archive: Path, content: bytes) -> Part:
    if len(content) % RECORD_BYTES:
        raise ValueError(f"{archive} is cut off within a record of {RECORD_BYTES:,} bytes")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD_BYTES)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)
