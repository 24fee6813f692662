"""What k-WTA does to one vector of N pre-activations."""

from dataclasses import replace

import streamlit as st

from app import state, text
from app.components import component, report
from app.compute import operator, vectors
from app.controls import Control, control, one_of, read_gamma, whole

PRESET = Control(
    "preset",
    "Vector",
    "gaussian",
    "Where the values come from.",
    one_of("the vector", [*vectors.PRESETS]),
    bound=False,
)
N = Control("n", "N", 32, "Entries of the vector.", whole("N", vectors.FEWEST, vectors.MOST), bound=False)
BLOCK = Control(
    "block",
    "Block size",
    4,
    "For local WTA and max pooling.",
    whole("the block size", 2, vectors.MOST),
    bound=False,
)
VALUES = Control(
    "values",
    "Your own values, separated by commas",
    vectors.written(vectors.DEFAULT_VALUES),
    "Entry 0 first. Equal values tie: then the lower index wins.",
    lambda typed: vectors.written(vectors.parsed(typed)),
    bound=False,
)
DETAILS = {"about": "Explained", "values": "Values", "python": "The same in Python", "speed": "Speed"}
DETAIL = Control("detail", "Below the picture", "about", "", one_of("detail", [*DETAILS]), bound=False)
SEQUENCE = "_operator_seq"


def own_values() -> tuple[float, ...]:
    """The values typed or drawn; none where a named vector is chosen."""
    return vectors.parsed(state.value(VALUES)) if state.value(PRESET) == vectors.OWN else ()


def chosen() -> vectors.Vector:
    """The vector that the controls name."""
    return vectors.Vector(state.value(PRESET), state.current().seed, state.value(N), own_values())


def count() -> Control:
    """The control of N: a person's own values bring their number along, the others come in the usual number."""
    return replace(N, default=len(own_values()) or N.default)


def restart() -> None:
    """Another vector, or other values: N starts from its default."""
    st.session_state["n"] = count().default


def moved() -> None:
    """Take over what the hand did in the picture; a report that makes no sense is dropped."""
    told = report("operator", "moved") or {}
    try:
        gamma = read_gamma(str(told["gamma"]))
        n, block, sequence = N.read(str(told["n"])), BLOCK.read(str(told["block"])), int(told["seq"])
        values = VALUES.read(", ".join(map(str, told["values"]))) if told["values"] else None
    except (KeyError, TypeError, ValueError):
        return
    st.session_state.update({"gamma": gamma, "n": n, "block": block, SEQUENCE: sequence})
    if values:
        st.session_state.update({"preset": vectors.OWN, "values": values})


def picture(vector: vectors.Vector, found: operator.Answer, gamma: float) -> None:
    controls = (PRESET, N, BLOCK, DETAIL, control("gamma"), control("seed"))
    untouched = SEQUENCE not in st.session_state and all(state.value(c) == c.default for c in controls)
    component("operator")(
        key="operator",
        data={
            "pool": vectors.pool(vector).tolist(),
            "other": vectors.partner(vector).tolist(),
            "n": vector.n,
            "gamma": gamma,
            "block": found.block,
            "k": found.k,
            "won": found.won.tolist(),
            "threshold": found.threshold,
            "seq": st.session_state.get(SEQUENCE, 0),
            "autoplay": untouched,
            "still": state.value(DETAIL) in ("values", "python"),
            "own": vector.preset == vectors.OWN,
            "bare": state.is_presenting(),
            "hide": list(state.hidden()),
        },
        on_moved_change=moved,
        height="content",
    )


def show_values(found: operator.Answer) -> None:
    st.dataframe(operator.table(found), hide_index=True, height=330, placeholder="–", key="operator_table")
    st.download_button(
        "CSV",
        lambda: operator.csv(found),
        "kwta-operator.csv",
        "text/csv",
        icon=":material/download:",
        key="operator_csv",
    )


def show_speed(gamma: float, device: str) -> None:
    comparison = operator.comparison(gamma, device)
    st.markdown(text.load("operator_speed"))
    if st.button("Measure here", key="measure", type="primary", icon=":material/timer:"):
        st.session_state["_measured"] = comparison
    if st.session_state.get("_measured") != comparison:
        return
    timing = operator.timed(comparison)
    from app.plots import operator as plots  # Plotly is large, and most visits do without

    st.plotly_chart(
        plots.time_per_entry(timing),
        key="operator_timing",
        config={"displayModeBar": False},
        alt=plots.in_words(timing),
    )
    st.markdown(plots.in_words(timing))


state.follow((PRESET, BLOCK, DETAIL))
with st.container(key="control-preset"):
    st.segmented_control(
        PRESET.label,
        [*vectors.PRESETS],
        key=PRESET.key,
        format_func=vectors.PRESETS.__getitem__,
        label_visibility="collapsed",
        required=True,
        on_change=restart,
        persist_state="session",
    )
if state.value(PRESET) == vectors.OWN:
    state.follow((VALUES,))
    with st.container(key="control-values"):
        st.text_input(VALUES.label, key=VALUES.key, help=VALUES.help, on_change=restart, persist_state="session")
state.follow((count(),))
setup = state.current()
vector = chosen()
found = operator.answer(vector, setup.gamma, state.value(BLOCK))
picture(vector, found, setup.gamma)
with st.container(key="words-operator"):
    st.segmented_control(
        DETAIL.label,
        [*DETAILS],
        key=DETAIL.key,
        format_func=DETAILS.__getitem__,
        label_visibility="collapsed",
        required=True,
        persist_state="session",
    )
    match state.value(DETAIL):
        case "values":
            show_values(found)
        case "python":
            st.code(operator.snippet(found, setup.gamma), language="python")
        case "speed":
            show_speed(setup.gamma, setup.device)
        case _:
            st.markdown(text.load("operator"))
