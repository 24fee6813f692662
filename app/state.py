"""The values of controls, kept in st.session_state and in the URL; and what every run of the page begins and ends with.

state.follow(rows)               # before the controls are drawn: takes what the URL says
state.value(control("n", rows))  # now
"""

import random
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.compute import data
from app.controls import CONTROLS, Control, Setup

# The switches of a lecture; they are read once and kept.
PRESENT, HIDE = "present", "hide"
# Where the last allowed value of each control is kept.
VALID = "_valid"
# Where the shared controls are kept as the last run of the whole page had them.
WHOLE = "_whole"
# Seconds after which everything drawn is sent: Streamlit sends every 10 ms.
SENT = 0.03
PROBLEMS, SEEN, SHOWN, LOOSE, PAGE, DRAWN = "_problems", "_seen", "_shown", "_loose", "_page", "_drawn"


def begin() -> None:
    """Call first in every run: forgets which controls the last view showed, and reads a lecture's switches once."""
    st.session_state[SHOWN] = {}
    for switch in (PRESENT, HIDE):
        st.session_state.setdefault(f"_{switch}", st.query_params.get(switch, ""))


def end() -> None:
    """Call last in every run: takes controls that the page no longer shows out of the URL."""
    st.session_state[PAGE] = page()
    st.session_state[WHOLE] = current()
    shown = st.session_state[SHOWN]
    for key in st.session_state.get(LOOSE, set()) - set(shown):
        if key in st.query_params:
            del st.query_params[key]


def is_left_behind(but: str = "") -> bool:
    """Whether a fragment runs alone although a shared control (`but` this one) has changed, so that the whole page has
    to run.

    Of what the browser sends at once Streamlit runs one fragment, be it that a control outside it is among that.
    """
    context = get_script_run_ctx()
    runs_alone = bool(context and context.fragment_ids_this_run)
    now = current()
    before = st.session_state.get(WHOLE, now)
    if but in {field.name for field in fields(now)}:
        before = replace(before, **{but: getattr(now, but)})
    return runs_alone and before != now


def rest() -> None:
    """Wait until the browser has been sent all of this run; the last call of every run.

    A fragment that runs at once after it makes Streamlit drop what this run has drawn of the fragment and not yet sent
    (`ForwardMsgQueue.clear`); the browser then takes the fragment's widgets for gone, and forgets their values.
    """
    if Runtime.exists():
        time.sleep(SENT)


def follow(controls: Sequence[Control] = CONTROLS) -> None:
    """Take the values that the URL gives, keep the URL in step with them. Call before the controls are drawn.

    The URL is read when a session first meets a control, and when its user goes back in the browser's history. A value
    that is not allowed becomes a message (`problems`) and the default; one that is off the control's steps is snapped.
    """
    corrected = [c for c in controls if c.bound and _corrected(c)]
    for c in controls:
        if not c.bound:
            _mirror(c)
    st.session_state.setdefault(LOOSE, set()).update(c.key for c in controls if not c.bound)
    st.session_state[SHOWN] |= {c.key: c for c in controls}
    seen = st.session_state.setdefault(SEEN, set())
    seen |= {c.key for c in controls}
    if corrected:
        st.rerun()  # bound widgets take the URL's value as the run starts


def _read(c: Control, raw: str) -> Any:
    try:
        return c.read(raw)
    except ValueError as error:
        st.session_state.setdefault(PROBLEMS, {})[c.key] = _instead(error, c.default)
        return c.default


def _instead(error: ValueError, stand_in: Any) -> str:
    """What is wrong, and what stands in for it."""
    return f"{str(error).rstrip('.')}; using {stand_in}."


def _last(c: Control) -> Any:
    """The control's last value that it allows still, else its default."""
    last = st.session_state.get(VALID, {}).get(c.key, c.default)
    return last if _allows(c, last) else c.default


def _is_seen(c: Control) -> bool:
    return c.key in st.session_state.get(SEEN, ())


def _corrected(c: Control) -> bool:
    """Replace a bound control's text in the URL by the value it stands for, if it is not that already."""
    raw = st.query_params.get(c.key)
    if raw is None or _is_seen(c):
        return False
    value = _read(c, raw)
    if raw == str(value):
        return False
    try:
        if value == c.default:
            del st.query_params[c.key]
        else:
            st.query_params[c.key] = str(value)
    except StreamlitAPIException:  # already bound, so Streamlit has corrected it
        return False
    return True


def is_again() -> bool:
    """Whether the shared controls are drawn as in the run before: then their values are known before they are drawn.

    Not so in the first run, on another page, after a step in the browser's history (a widget takes the URL's value as
    it is drawn), and with other data (which may bring a control along). Call once a run, after `follow`.
    """
    now = (page(), st.session_state["data"])
    before, st.session_state[DRAWN] = st.session_state.get(DRAWN), now
    return before == now and not _went_back()


def _went_back() -> bool:
    context = get_script_run_ctx()
    return bool(context and getattr(context, "is_history_navigation", False))


def _mirror(c: Control) -> None:
    raw = st.query_params.get(c.key)
    went_back = _went_back()
    if raw is not None and (went_back or not _is_seen(c)):
        st.session_state[c.key] = _read(c, raw)
    elif went_back and st.session_state.get(PAGE) == page():  # to a moment before the control was used
        st.session_state[c.key] = c.default
    value = st.session_state.setdefault(c.key, c.default)
    if value is None:  # a widget that the browser forgot and drew anew
        value = st.session_state[c.key] = c.default if raw is None else _read(c, raw)
    allowed = value if _allows(c, value) else _last(c)  # no link has what a message is about
    if allowed == c.default:
        if raw is not None:
            del st.query_params[c.key]
    elif raw != str(allowed):
        st.query_params[c.key] = str(allowed)


def _allows(c: Control, value: Any) -> bool:
    try:
        c.read(str(value))
    except ValueError:
        return False
    return True


def page() -> str:
    """What tells the view of this run from others."""
    context = get_script_run_ctx()
    return context.page_script_hash if context else ""


def value(c: Control) -> Any:
    """The control's value now, snapped to what it allows; of one that it does not allow, the last one that it did."""
    try:
        found = c.read(str(st.session_state.get(c.key, c.default)))
    except ValueError:
        return _last(c)
    st.session_state.setdefault(VALID, {})[c.key] = found
    return found


def current() -> Setup:
    """What the shared controls say now."""
    values: dict[str, Any] = {c.key: value(c) for c in CONTROLS}
    noise = values.pop("noise")
    values["data"] = data.noisy(values["data"], noise)
    return Setup(**values)


def problems() -> list[str]:
    """What is wrong with the controls now, and with the link that opened this session until its control is used."""
    found = st.session_state.get(PROBLEMS, {})
    told = []
    for key, c in st.session_state[SHOWN].items():
        try:
            used = c.read(str(st.session_state.get(key, c.default))) != c.default
        except ValueError as error:
            told.append(_instead(error, _last(c)))
            used = True
        if used:
            found.pop(key, None)
    return told + [found[key] for key in st.session_state[SHOWN] if key in found]


def new_seed() -> None:
    """Another seed: short, since it stands in the link."""
    st.session_state["seed"] = random.SystemRandom().randrange(1, 10_000)


def is_presenting() -> bool:
    """Whether the link asks for the picture alone (?present=1)."""
    return st.session_state.get("_present", "") not in ("", "0", "false")


def hidden() -> tuple[str, ...]:
    """Keys of the controls that the link hides (?hide=net,seed), as far as they are made of letters."""
    words = st.session_state.get("_hide", "").split(",")
    return tuple(word for word in words if word.isascii() and word.isidentifier())


def link() -> str:
    """The address that reproduces this page: the view and every control that is not at its default."""
    shown = st.session_state[SHOWN]
    pairs = {key: str(now).replace(", ", ",") for key, c in shown.items() if (now := value(c)) != c.default}
    query = urlencode(pairs, safe=",/")
    return (st.context.url or "") + (f"?{query}" if query else "")
