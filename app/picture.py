"""A view's picture under the hand, and what is below it: alike in every view whose component reports what the hand did.

    def heard():  # the component's on_moved_change
        told = report("line", "moved") or {}
        picture.heard("line", told, lambda: picture.values(told, controls(state.current()), KEYS))

    def draw(chosen, told): ...  # component("line")(..., data=... picture.sequence("line") ..., on_moved_change=heard)

    picture.stage("line", rows, draw)

A report holds the view's values; `seq`, a number that grows with what the hand does and that the component finds in
the answer; and `moving` while the hand has not let go. Streamlit may pass over a report that another one follows at
once, so every one of them, also a mere question, holds all values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from app import state, text
from app.compute import Unusable
from app.controls import Control, control


def refused(error: Unusable) -> None:
    """Say why there is no picture."""
    st.warning(text.plainly(text.sentence(error)), icon=":material/info:")


@st.fragment
def stage(view: str, rows: Sequence[Control], draw: Callable[[dict, dict], None]) -> None:
    """draw(values of the controls, what the component has just reported), again after every report; or why not.

    A report may name a shared control that the hand has moved in the picture, "ahead": then the picture is sent before
    the whole page follows.
    """
    ahead = str(st.session_state.get(f"_{view}_heard", {}).get("ahead", ""))
    if state.is_left_behind(but=ahead):
        st.rerun()
    told = st.session_state.pop(f"_{view}_heard", {})
    if not told.get("moving"):
        state.follow(rows)  # not while the hand moves: every step would be a page in the browser's history
    try:
        draw({c.key: state.value(c) for c in rows}, told)
    except Unusable as error:
        refused(error)
    if ahead and state.is_left_behind():
        state.rest()
        st.rerun()


def heard(view: str, told: Mapping, found: Callable[[], dict[str, Any]]) -> None:
    """Keep a report for the next drawing, and take over its values unless a later report's are known already.

    A report that makes no sense, for which found() raises KeyError, TypeError or ValueError, is dropped.
    """
    try:
        seq = int(told["seq"]) if "seq" in told else sequence(view) + 1
        values = found()
    except (KeyError, TypeError, ValueError):
        return
    st.session_state[f"_{view}_heard"] = dict(told)
    if seq > sequence(view):
        st.session_state.update({**values, f"_{view}_seq": seq})


def values(told: Mapping, rows: Sequence[Control], keys: Iterable[str]) -> dict[str, Any]:
    """What a report says of these controls; KeyError for a missing one, ValueError for what they do not allow."""
    return {key: control(key, rows).read(str(told[key])) for key in keys}


def understood(told: Mapping, rows: Sequence[Control], keys: Iterable[str]) -> dict[str, Any] | None:
    """As `values`; None for a report that makes no sense."""
    try:
        return values(told, rows, keys)
    except (KeyError, TypeError, ValueError):
        return None


def sequence(view: str) -> int:
    """The number of the last report whose values were taken over."""
    return st.session_state.get(f"_{view}_seq", 0)


def is_readable(c: Control) -> bool:
    """Whether the control's value is one that it allows now."""
    try:
        c.read(str(st.session_state[c.key]))
    except ValueError:
        return False
    return True


def below(key: str, options: Mapping[str, str]) -> None:
    """The choice of what is below the picture: control `key`, whose values are the keys of `options`."""
    choice("Below the picture", key, options)


def choice(label: str, key: str, options: Mapping[str, str]) -> None:
    """A row of buttons without a visible label, of which one is always pressed: at first the link's, or the first."""
    if st.session_state.get(key) is None:  # a browser forgets the value of a widget that it drew anew
        named = st.query_params.get(key)
        st.session_state[key] = named if named in options else next(iter(options))
    st.segmented_control(
        label,
        [*options],
        key=key,
        format_func=options.__getitem__,
        label_visibility="collapsed",
        required=True,
        persist_state="session",
    )


def download(label: str, made: Callable[[], str], file: str, kind: str, key: str) -> None:
    """A button that saves made(), which runs when it is pressed."""
    st.download_button(label, made, file, kind, icon=":material/download:", key=key, on_click="ignore")
