"""What the Regions and Jumps views hand to their pictures: one block with the pictures of several rungs of γ."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120


def opened(view: str, **link) -> AppTest:
    """A view at this link."""
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in link.items():
        at.query_params[key] = str(value)
    at.switch_page(f"views/{view}.py")
    return at.run()


def walk(node) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


def sent(at: AppTest) -> bytes:
    """The one block of bytes that the component gets."""
    protos = [e.proto for e in walk(at._tree) if getattr(e, "type", "") == "bidi_component"]
    return next(p.bytes for p in protos if p.WhichOneof("data") == "bytes")


def headed(block: bytes) -> tuple[dict, bytes]:
    """The header of a block, and the rest."""
    length = int.from_bytes(block[:4], "little")
    return json.loads(block[4 : 4 + length]), block[4 + length :]


def pictures(block: bytes, picture: Callable[[bytes], dict]) -> tuple[dict, dict[int, dict]]:
    """The answer's header and the pictures in it, by rung; picture(bytes) reads one."""
    header, body = headed(block)
    found, at = {}, header["setting_bytes"]
    for rung, size in header["blocks"]:
        found[rung] = picture(body[at : at + size])
        at += size
    assert at == len(body)
    return header, found
