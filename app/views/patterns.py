"""Who wins for an input: the winners of every hidden layer, and how they change with the input."""

from functools import partial

import streamlit as st

from app import picture, state, text
from app.components import component, report
from app.compute import (
    data,
    inputs,
    networks,
    pattern_block,
    pattern_distances,
    pattern_snippet,
    patterns,
    trained,
)
from app.controls import MAX_SEED, Control, Setup, one_of, whole

BELOW = {"about": "Explained", "distances": "Distances", "units": "Units", "python": "The same in Python"}
KEYS = ("x", "x2", "compare", "norm", "radius", "delta", "layer", "weights", "phi")
FITTED, RESTED = "_patterns_fitted", "_patterns_rested"


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which inputs, radii and layers there are depends on data and network."""
    name = data.data(setup.data)
    n_layers = len(networks.spec(setup).sizes)
    return (
        Control("x", "x", "0", "The input.", inputs.reader(name), False),
        Control("x2", "x′", "1", "The second input.", inputs.reader(name), False),
        Control("compare", "Compare", "alone", "", one_of("the comparison", [*patterns.COMPARISONS]), False),
        Control("norm", "Norm", "linf", "", one_of("the norm", [*patterns.NORMS]), False),
        Control("radius", "Radius", 0.1, "", patterns.read_radius(setup.data), False),
        Control("delta", "Seed of δ", 0, "", whole("the seed of δ", 0, MAX_SEED), False),
        Control("layer", "Layer", 0, "", whole("the layer", 0, n_layers), False),
        Control("weights", "Weights", "trained", "", one_of("the weights", [*trained.WEIGHTS]), False),
        Control("phi", "Activation", "kwta", "", one_of("the activation", [*trained.ACTIVATIONS]), False),
        Control("measure", "Measure", "hamming", "", one_of("the measure", [*pattern_distances.MEASURES]), False),
        Control("below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """Let go of inputs and layers that new data or a new network have not; a link's are left to give a message."""
    now = (setup.data, setup.net)
    if st.session_state.setdefault(FITTED, now) == now:
        return
    st.session_state[FITTED] = now
    for c in rows:
        if c.key in st.session_state and not picture.is_readable(c):
            st.session_state[c.key] = c.default


def heard() -> None:
    """Take over what the hand did in the picture."""
    told = report("patterns", "moved") or {}
    picture.heard("patterns", told, lambda: found_in(told))


def found_in(told: dict) -> dict:
    """What a report says of the controls; ValueError, KeyError or TypeError if that makes no sense."""
    setup = state.current()
    named = {key: pattern_name(setup, told[key]) for key in ("x", "x2")}
    return picture.values(told | named, controls(setup), KEYS)


def pattern_name(setup: Setup, told) -> str:
    """The name of an input that the picture reports: as it is, or made from the pixels of a drawing."""
    return inputs.drawing(data.data(setup.data), told["pixels"]) if isinstance(told, dict) else str(told)


def draw(setup: Setup, chosen: dict, told: dict) -> None:
    snapshot = trained.snapshot(trained.which(setup, chosen["weights"], chosen["phi"]))
    question = patterns.Question(*(chosen[key] for key in ("x", "x2", "compare", "norm", "radius", "delta")))
    found = patterns.answer(snapshot, question)
    shown = chosen | {"bare": state.is_presenting()}
    seq, gallery = picture.sequence("patterns"), str(told.get("gallery", ""))
    component("patterns")(
        key="patterns",
        data=pattern_block.packed(snapshot, found, shown, seq, gallery),
        on_moved_change=heard,
        height="content",
    )
    if not told.get("moving"):
        st.session_state[RESTED] = question
    with st.container(key="words_patterns"):
        details(snapshot, found, chosen)


def details(snapshot: trained.Snapshot, found: patterns.Answer, chosen: dict) -> None:
    picture.below("below", BELOW)
    match chosen["below"]:
        case "distances":
            show_distances(snapshot, chosen)
        case "units":
            show_units(found, chosen["layer"])
        case "python":
            st.code(pattern_snippet.snippet(snapshot.which, found.question), language="python")
        case _:
            st.markdown(text.load("patterns"))


def show_distances(snapshot: trained.Snapshot, chosen: dict) -> None:
    if not snapshot.is_done:
        st.info(
            f"The distances are drawn once the training is through ({snapshot.progress}).", icon=":material/hourglass:"
        )
        return
    picture.choice("Distance", "measure", pattern_distances.MEASURES)
    rested = st.session_state[RESTED]  # a figure of 3,000 pairs does not follow the hand
    query = pattern_distances.Query(snapshot.which, chosen["measure"], rested.radius, rested.norm, rested.seed)
    found = pattern_distances.histograms(query)
    from app.plots import patterns as plots  # Plotly is large, and most visits do without

    words = plots.in_words(found, chosen["layer"])
    st.plotly_chart(
        plots.distances(found, chosen["layer"]), key="patterns_distances", config={"displayModeBar": False}, alt=words
    )
    st.markdown(words)
    st.markdown(text.load("patterns_distances"))


def show_units(found: patterns.Answer, layer: int) -> None:
    st.dataframe(patterns.table(found, layer), hide_index=True, height=330, placeholder="–", key="patterns_table")
    picture.download("CSV of all layers", lambda: patterns.csv(found), "kwta-patterns.csv", "text/csv", "patterns_csv")


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
picture.stage("patterns", rows, partial(draw, setup))
