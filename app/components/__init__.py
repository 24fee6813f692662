"""Canvases and other parts of our own, as st.components.v2 components.

A component `name` is name.js (an ES module with a default export), and name.css and name.html where it needs them, in
this folder. shared.js and palette.js are put before its script and shared.css before its style, and so are the parts
(numbers.js, plane.css …) that PARTS names for it: everything declared there is at hand without an import.

    from app.components import component

    component("operator")(key="operator", data={...}, on_moved_change=callback)

Always pass `key`: without one every change of data makes a new instance. `data` may hold numbers, text, lists, dicts;
large arrays go as the one `bytes` value at the top level (a Uint8Array in the script). The script reports through
`send("moved", value)`, after which `callback` runs and finds the value by `report(key, "moved")`.

A script looks like this. `mounted` calls `create` once per instance and `update(data)` of what it returned on every run
of the page; `destroy()` runs when the page drops the component.

    export default mounted((root, send, data) => {
      const canvas = root.querySelector("canvas");
      const stop = fitted(canvas, draw);                     // draw(context, width, height) in CSS pixels, high-DPI
      function draw(context, width, height) { ... theme(root).positive ... }
      return { update(data) { ... }, destroy() { stop(); } };
    });

What shared.js, palette.js and the parts offer is told at their heads. A canvas needs a role, a label, a text with
aria-live="polite" that says what it shows, and a visible focus (shared.css draws one).
"""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component as register
from streamlit.runtime import Runtime

FOLDER = Path(__file__).parent
# What is put before the style and the script of every component, and of some, in this order.
BEFORE = ("shared", "palette")
PARTS = {
    "attack": ("numbers", "reports", "blocks", "cells"),
    "line": ("numbers", "reports", "blocks"),
    "jumps": ("numbers", "reports", "blocks", "cells", "rungs", "plane"),
    "patterns": ("numbers", "reports", "blocks"),
    "regions": ("numbers", "blocks", "cells", "rungs", "plane"),
    "train": ("numbers", "blocks"),
}


@cache
def source(name: str) -> dict[str, str]:
    """html, css and js of a component, the shared parts before its own."""
    if not (FOLDER / f"{name}.js").is_file():
        raise ValueError(f"there is no component {name!r}: {FOLDER / f'{name}.js'} is missing")
    parts = (*BEFORE, *PARTS.get(name, ()), name)
    names = {"html": (name,), "css": parts, "js": parts}
    return {kind: text for kind, chosen in names.items() if (text := _together(kind, chosen))}


def _together(kind: str, names: tuple[str, ...]) -> str:
    files = [FOLDER / f"{name}.{kind}" for name in names]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())


def component(name: str):
    """The function that puts component `name` into the page; see above. ValueError if there is no such component."""
    return _registered(f"kwta_{name}", name, id(Runtime.instance()) if Runtime.exists() else 0)


def report(key: str, name: str) -> Any:
    """What component `key` has just reported as `name`, for its callback; None if its page is gone meanwhile."""
    state = st.session_state.get(key)
    return state.get(name) if state else None


@cache
def _registered(registered: str, name: str, _runtime: int):
    # Registered once per server: again for every page would make Streamlit warn about a second definition.
    return register(registered, **source(name))  # type: ignore[arg-type] (no flag is among the texts)
