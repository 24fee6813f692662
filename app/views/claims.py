"""What was published about k-WTA's robustness, with sources; and the slip of a relative step, live."""

from functools import partial

import streamlit as st

from app import picture, state, text
from app.compute import Unusable, claims, trained
from app.controls import Control, Setup, control, one_of
from app.plots import published_table

BELOW = {
    "about": "Explained",
    "story": "The published story",
    "origin": "The origin's table",
    "python": "The same in Python",
}
FITTED = "_claims_fitted"
# Seconds between two looks at networks that are still being trained.
PATIENCE = 1.0


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which ε there are depends on the data."""
    eps = claims.usual_eps(setup.data)
    return (
        Control("ceps", "ε", eps, "How far each entry of an input may move.", claims.eps_reader(setup.data), False),
        Control("step", "Step of PGD", "relative", "", one_of("the step rule", [*claims.RULES]), False),
        Control("claims_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """Other data have an ε of their own."""
    if st.session_state.setdefault(FITTED, setup.data) != setup.data:
        st.session_state["ceps"] = control("ceps", rows).default
    st.session_state[FITTED] = setup.data


def draw(setup: Setup, rows: tuple[Control, ...]) -> None:
    if state.is_left_behind():
        st.rerun()
    state.follow(rows)
    switch, slider = st.columns([3, 2], vertical_alignment="bottom")
    with switch:
        st.segmented_control(
            "Step of PGD",
            [*claims.RULES],
            key="step",
            format_func=claims.RULES.__getitem__,
            required=True,
            persist_state="session",
        )
    with slider:
        most = claims.most_eps(setup.data)
        help = control("ceps", rows).help
        st.slider("ε", 0.001, most, step=0.001, format="%.3f", key="ceps", help=help, persist_state="session")
    chosen = {c.key: state.value(c) for c in rows}
    try:
        is_done = show(setup, chosen)
    except Unusable as error:
        picture.refused(error)
        is_done = True
    if is_done and st.session_state.pop("_claims_waiting", False):
        st.rerun()  # no more looks are needed
    st.session_state["_claims_waiting"] = not is_done


def show(setup: Setup, chosen: dict) -> bool:
    """The two networks under both rules; whether they are trained to the end."""
    nets = [trained.snapshot(trained.which(setup, "trained", phi)) for phi in trained.ACTIVATIONS]
    other = next(rule for rule in claims.RULES if rule != chosen["step"])
    courses = tuple(claims.course(net, chosen["ceps"], chosen["step"]) for net in nets)
    others = tuple(claims.course(net, chosen["ceps"], other) for net in nets)
    words = claims.in_words(courses, others)
    from app.plots import claims as plots  # Plotly is large, and most visits do without

    is_dark = st.context.theme.type == "dark"
    bare = {"displayModeBar": False}
    for column, figure, key in zip(
        st.columns([3, 2]), (plots.right, plots.moved), ("claims_right", "claims_moved"), strict=True
    ):
        column.plotly_chart(figure(courses, others, is_dark), key=key, config=bare, alt=words)
    with st.container(key="words_claims"):
        st.markdown(words)
        is_done = all(net.is_done for net in nets)
        if not is_done:
            st.caption(f"{nets[0].progress.capitalize()}; the picture follows.")
        details(nets[0], chosen)
    return is_done


def details(net: trained.Snapshot, chosen: dict) -> None:
    picture.below("claims_below", BELOW)
    match chosen["claims_below"]:
        case "story":
            st.markdown(text.load("claims_story"))
            for statement in claims.story():
                st.markdown(f"- {text.plainly(statement.text)} *{text.plainly(statement.source)}.*")
            table(claims.figures(), "Robust accuracies as published")
        case "origin":
            st.markdown(text.load("claims_origin"))
            table(claims.origin(), "The origin's table")
        case "python":
            st.code(claims.snippet(net.which, chosen["ceps"], chosen["step"]), language="python")
        case _:
            st.markdown(text.load("claims"))


def table(rows: list[dict], label: str) -> None:
    with st.container(key="claims_table"):
        st.html(published_table.html(rows, label))


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
look_again = PATIENCE if st.session_state.get("_claims_waiting", True) else None
st.fragment(partial(draw, setup, rows), run_every=look_again)()
