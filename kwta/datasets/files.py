"""A person's own files: opened by path, or handed over as bytes or an open file."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

Handed = bytes | io.IOBase


@contextmanager
def opened(path: str, digest: str | None) -> Iterator[BinaryIO]:
    """The file at `path`, open for reading bytes; ValueError if it cannot be read or its SHA-256 is not `digest`."""
    try:
        file = Path(path).expanduser().open("rb")
    except OSError as problem:
        raise ValueError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    with file:
        if digest is not None and (found := sha256(file)) != digest:
            raise ValueError(
                f"{path} has SHA-256 {found}, not {digest}: it is not the file that this data set was made from"
            )
        yield file


def stream(file: Handed, name: str) -> Any:
    """`file` as a stream of bytes at its start; ValueError for text streams and streams that cannot go back."""
    if isinstance(file, bytes):
        return io.BytesIO(file)
    if isinstance(file, io.TextIOBase) or not (file.readable() and file.seekable()):
        raise ValueError(f"{name} must be open for reading bytes and able to seek, got {type(file).__name__}")
    file.seek(0)
    return file


def sha256(file: Any) -> str:
    """The SHA-256 of a stream's content in hexadecimal; the stream goes back to its start."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest
