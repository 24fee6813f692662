"""How far f jumps at the borders of its linear regions, and why, with γ under the hand."""

from functools import partial

import streamlit as st

from app import picture, state, text
from app.components import component, report
from app.compute import data, jump_answer, jump_cliffs, jump_snippet, jump_table, jumps, networks, planes, regions
from app.compute.jump_ladder import Ladder
from app.compute.trained import ACTIVATIONS
from app.controls import MAX_SEED, Control, Setup, one_of, whole

BELOW = {"about": "Explained", "cliffs": "Cliffs in 3-D", "table": "Table", "python": "The same in Python"}
FITTED = "_jumps_fitted"
# The rung of γ has a key of its own where every γ has a network of its own: there are fewer.
RUNG = {"same": "rung", "each": "each"}


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which planes, rungs and logits there are depends on data and network."""
    known = data.data(setup.data)
    sizes = networks.spec(setup).sizes
    shapes = planes.shapes(known)
    most = {mode: len(jumps.rungs(sizes, mode)) - 1 for mode in RUNG}
    return (
        Control("nets", "Networks", "same", "", one_of("which networks are compared", [*jumps.MODES]), False),
        Control("rung", "Rung of γ", 0, "", whole("the rung of γ", 0, most["same"]), False),
        Control("each", "Network", 0, "", whole("the number of the network", 0, most["each"]), False),
        Control("phi", "Activation", "kwta", "", one_of("the activation", [*ACTIVATIONS]), False),
        Control("size", "Size of a jump", "l2", "", one_of("the size of a jump", [*jumps.SIZES]), False),
        Control("logit", "Logit", 0, "", whole("the logit", 0, known.n_classes - 1), False),
        Control("relative", "Relative", 0, "", whole("whether jumps are relative to the spread", 0, 1), False),
        Control("start", "Weights", "he", "", one_of("the weights", [*regions.WEIGHTS]), False),
        Control("plane", "Plane", shapes[0], "", one_of("the plane", shapes), False),
        Control("three", "Inputs", planes.usual_three(known), "", planes.read_three(known), False),
        Control("pseed", "Seed of the plane", 0, "", whole("the seed of the plane", 0, MAX_SEED), False),
        Control("clip", "Cut to", "free", "", one_of("what the plane is cut to", [*planes.CLIPS]), False),
        Control("window", "Part of the plane", "", "", planes.read_window, False),
        Control("points", "Points", 0, "", whole("whether points are shown", 0, 1), False),
        Control("jumps_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """Let go of what new data, another network or another γ have not; a link's values are left to give a message."""
    now = {"data": setup.data, "net": setup.net, "gamma": setup.gamma}
    before = st.session_state.setdefault(FITTED, now)
    st.session_state[FITTED] = now
    stale = {"rung", "each"} if before != now else set()
    if before["data"] != now["data"]:
        stale |= {"window", "three", "plane", "logit", "clip"}
    for c in rows:
        if c.key in stale and c.key in st.session_state:
            st.session_state[c.key] = c.default


def heard() -> None:
    """Take over what the hand did in the picture."""
    told = report("jumps", "moved") or {}
    picture.heard("jumps", told, lambda: found_in(dict(told)))


def found_in(said: dict) -> dict:
    """What a report says of the controls; ValueError if that makes no sense."""
    said[RUNG[str(said["nets"])]] = said.pop("rung")
    rows = controls(state.current())
    return picture.values(said, rows, [c.key for c in rows if c.key in said])


def draw(setup: Setup, chosen: dict, told: dict) -> None:
    place = {key: chosen[key] for key in ("plane", "three", "pseed", "clip", "window")}
    choice = planes.choice(setup.data, place)
    measure = jumps.measure(chosen["size"], chosen["logit"])
    asked, snapshot = jumps.question(setup, chosen["nets"], chosen["start"], choice, measure)
    ladder = jumps.ladder(asked, snapshot)
    wanted = chosen[RUNG[chosen["nets"]]]
    rung = wanted or jumps.start(asked, ladder, setup.gamma)
    told = told | {"seq": picture.sequence("jumps")}
    shown = {key: value for key, value in chosen.items() if key != "each"}
    shown |= {"rung": rung, "bare": state.is_presenting(), "usual": wanted == 0}
    component("jumps")(
        key="jumps",
        data=jump_answer.packed(asked, ladder, snapshot, shown, told),
        on_moved_change=heard,
        height="content",
    )
    with st.container(key="words_jumps"):
        details(asked, ladder, 0 if chosen["phi"] == "relu" else rung, chosen)


def details(asked: jumps.Question, ladder: Ladder, rung: int, chosen: dict) -> None:
    picture.below("jumps_below", BELOW)
    match chosen["jumps_below"]:
        case "cliffs":
            show_cliffs(asked, ladder, rung, chosen["logit"])
        case "table":
            show_table(asked, ladder, rung)
        case "python":
            st.code(jump_snippet.snippet(asked, ladder, rung), language="python")
        case _:
            st.markdown(text.load("jumps"))


def show_cliffs(asked: jumps.Question, ladder: Ladder, rung: int, logit: int) -> None:
    found = jump_cliffs.cliffs(asked, ladder, rung, logit)
    if found is None:
        st.info(jump_table.WAIT, icon=":material/hourglass:")
        return
    from app.plots import jumps as plots  # Plotly is large, and most visits do without

    words = plots.in_words(found)
    figure = plots.cliffs(found, is_dark=st.context.theme.type == "dark")
    st.plotly_chart(figure, key="jumps_cliffs", config={"displaylogo": False}, alt=words)
    st.markdown(words)


def show_table(asked: jumps.Question, ladder: Ladder, rung: int) -> None:
    found = jump_table.traced(asked, ladder, rung)
    if found is None:
        st.info(jump_table.WAIT, icon=":material/hourglass:")
        return
    st.caption(jump_table.words(found))
    st.dataframe(jump_table.table(found), hide_index=True, height=330, placeholder="–", key="jumps_table")
    files = (
        ("CSV of these borders", lambda: jump_table.csv(found), "kwta-jumps.csv", "text/csv", "jumps_csv"),
        (
            "JSON of these borders",
            lambda: jump_table.as_json(found),
            "kwta-jumps.json",
            "application/json",
            "jumps_json",
        ),
        ("CSV of every γ", lambda: jump_table.curves(ladder), "kwta-jumps-gamma.csv", "text/csv", "jumps_curves"),
    )
    for row in files:
        picture.download(*row)


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
picture.stage("jumps", rows, partial(draw, setup))
