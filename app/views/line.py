"""The network along a segment: exact pieces and jumps, with the winners beneath them."""

import streamlit as st

from app import state, text
from app.components import component, report
from app.compute import Unusable, data, inputs, line, line_block, networks, python_lines, trained
from app.state import Control, Setup, one_of

BELOW = {"about": "Explained", "borders": "Borders", "python": "The same in Python"}
OWN, ALL = "own", "all"
KEYS = ("from", "to", "g", "logit", "twin", "weights")
HEARD, FITTED, SEQUENCE = "_line_heard", "_line_fitted", "_line_seq"


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which inputs, outputs and γ there are depends on data and network."""
    known = data.data(setup.data)
    start, end = line.usual_ends(setup.data)
    outputs = [OWN, ALL, *map(str, range(known.n_classes))]
    gammas = line.reader(networks.spec(setup).sizes, state.read_gamma)
    return (
        Control("from", "A", start, "Where the segment begins.", inputs.reader(known), False),
        Control("to", "B", end, "Where the segment ends.", inputs.reader(known), False),
        Control("g", "γ on this page", setup.gamma, "The winners; the weights stay.", gammas, False),
        Control("logit", "Outputs drawn", OWN, "", one_of("the output", outputs), False),
        Control("twin", "ReLU twin", "on", "", one_of("the twin", ("on", "off")), False),
        Control("weights", "Weights", "trained", "", one_of("the weights", [*trained.WEIGHTS]), False),
        Control("line_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """New data have ends of their own, and γ follows that of the shared controls; a link's values give a message."""
    now = (setup.data, setup.net, setup.gamma)
    before = st.session_state.setdefault(FITTED, now)
    st.session_state[FITTED] = now
    for c in rows:
        moved = (c.key == "g" and before[2] != setup.gamma) or (c.key in ("from", "to") and before[0] != setup.data)
        if c.key in st.session_state and (moved or not is_readable(c, str(st.session_state[c.key]))):
            st.session_state[c.key] = c.default


def is_readable(c: Control, raw: str) -> bool:
    try:
        c.read(raw)
    except ValueError:
        return False
    return True


def heard() -> None:
    """Take over what the hand did in the picture; a report that makes no sense is dropped.

    A question for more rungs carries the state too, since it may overtake a report; what is known already it leaves.
    """
    told = report("line", "moved") or {}
    try:
        sequence = int(told["seq"])
        rows = controls(state.current())
        found = {key: state.control(key, rows).read(str(told[key])) for key in KEYS}
    except (KeyError, TypeError, ValueError):
        return
    st.session_state[HEARD] = told
    if sequence > st.session_state.get(SEQUENCE, 0):
        st.session_state.update({**found, SEQUENCE: sequence})


@st.fragment
def stage(setup: Setup, rows: tuple[Control, ...]) -> None:
    told = st.session_state.pop(HEARD, {})
    if not told.get("moving"):
        state.follow(rows)  # not while the hand moves: every step would be a page in the browser's history
    try:
        draw(setup, {c.key: state.value(c) for c in rows}, told)
    except Unusable as error:
        st.warning(text.plainly(error), icon=":material/info:")


def draw(setup: Setup, chosen: dict, told: dict) -> None:
    snapshot = trained.snapshot(trained.which(setup, chosen["weights"]))
    twin = trained.snapshot(trained.which(setup, chosen["weights"], "relu"))
    found = line.ladder(snapshot, twin, chosen["from"], chosen["to"])
    shown = {key: chosen[key] for key in KEYS} | {"bare": state.is_presenting()}
    component("line")(
        key="line",
        data=line_block.packed(snapshot, twin, found, shown, told | {"seq": st.session_state.get(SEQUENCE, 0)}),
        on_moved_change=heard,
        height="content",
    )
    with st.container(key="words_line"):
        details(snapshot, found, chosen)


def details(snapshot: trained.Snapshot, found: line.Ladder, chosen: dict) -> None:
    st.segmented_control(
        "Below the picture",
        [*BELOW],
        key="line_below",
        format_func=BELOW.__getitem__,
        label_visibility="collapsed",
        required=True,
        persist_state="session",
    )
    match chosen["line_below"]:
        case "borders":
            show_borders(found.at(line.rung_of(found.rungs, chosen["g"])))
        case "python":
            code = python_lines.along(snapshot.which, chosen["from"], chosen["to"], chosen["g"])
            st.code(code, language="python")
        case _:
            st.markdown(text.load("line"))


def show_borders(found: line.Course) -> None:
    st.dataframe(line.table(found), hide_index=True, height=330, key="line_table")
    st.download_button(
        "CSV",
        lambda: line.csv(found),
        "kwta-line.csv",
        "text/csv",
        icon=":material/download:",
        key="line_csv",
        on_click="ignore",
    )


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
stage(setup, rows)
