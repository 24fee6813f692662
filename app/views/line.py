"""The network along a segment: exact pieces and jumps, with the winners beneath them."""

from functools import partial

import streamlit as st

from app import picture, state, text
from app.components import component, report
from app.compute import data, inputs, line, line_block, networks, python_lines, trained
from app.controls import Control, Setup, one_of, read_gamma

BELOW = {"about": "Explained", "borders": "Borders", "python": "The same in Python"}
OWN, ALL = "own", "all"
KEYS = ("from", "to", "g", "output", "twin", "weights")
FITTED = "_line_fitted"


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which inputs, outputs and γ there are depends on data and network."""
    known = data.data(setup.data)
    start, end = line.usual_ends(setup.data)
    outputs = [OWN, ALL, *map(str, range(known.n_classes))]
    gammas = line.reader(networks.spec(setup).sizes, read_gamma)
    return (
        Control("from", "A", start, "Where the segment begins.", inputs.reader(known), False),
        Control("to", "B", end, "Where the segment ends.", inputs.reader(known), False),
        Control("g", "γ on this page", setup.gamma, "The winners; the weights stay.", gammas, False),
        Control("output", "Outputs drawn", OWN, "", one_of("the output", outputs), False),
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
        if c.key in st.session_state and (moved or not picture.is_readable(c)):
            st.session_state[c.key] = c.default


def heard() -> None:
    """Take over what the hand did in the picture."""
    told = report("line", "moved") or {}
    picture.heard("line", told, lambda: picture.values(told, controls(state.current()), KEYS))


def draw(setup: Setup, chosen: dict, told: dict) -> None:
    snapshot = trained.snapshot(trained.which(setup, chosen["weights"]))
    twin = trained.snapshot(trained.which(setup, chosen["weights"], "relu"))
    found = line.ladder(snapshot, twin, chosen["from"], chosen["to"])
    shown = {key: chosen[key] for key in KEYS} | {"bare": state.is_presenting()}
    component("line")(
        key="line",
        data=line_block.packed(snapshot, twin, found, shown, told | {"seq": picture.sequence("line")}),
        on_moved_change=heard,
        height="content",
    )
    with st.container(key="words_line"):
        details(snapshot, found, chosen)


def details(snapshot: trained.Snapshot, found: line.Ladder, chosen: dict) -> None:
    picture.below("line_below", BELOW)
    match chosen["line_below"]:
        case "borders":
            show_borders(found.at(line.rung_of(found.rungs, chosen["g"])))
        case "python":
            code = python_lines.along(snapshot.which, chosen["from"], chosen["to"], chosen["g"])
            st.code(code, language="python")
        case _:
            st.markdown(text.load("line"))


def show_borders(found: line.Course) -> None:
    st.dataframe(line.table(found), hide_index=True, height=330, placeholder="–", key="line_table")
    picture.download("CSV", lambda: line.csv(found), "kwta-line.csv", "text/csv", "line_csv")


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
picture.stage("line", rows, partial(draw, setup))
