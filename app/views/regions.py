"""The exact linear regions of the network on a plane, with γ under the hand."""

from fractions import Fraction

import streamlit as st

from app import picture, state, text
from app.components import component, report
from app.compute import (
    background,
    data,
    networks,
    planes,
    region_answer,
    region_block,
    region_counts,
    region_table,
    regions,
)
from app.controls import MAX_SEED, Control, Setup, control, one_of, whole

BELOW = {"about": "Explained", "counts": "Width and depth", "table": "Table", "python": "The same in Python"}
OVER = {"width": "Against width", "depth": "Against depth"}
BESIDE = ("relu", "gamma", "alone")
COLOURS = ("identity", "layer", "class", "gradient", "value")
FITTED = "_regions_fitted"
# Seconds between two looks at counts that are being made.
EVERY = 0.6


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which planes, rungs and logits there are depends on data and network."""
    known = data.data(setup.data)
    ladder = regions.rungs(networks.spec(setup).sizes)
    shapes = planes.shapes(known)
    return (
        Control("rung", "Rung of γ", 0, "", whole("the rung of γ", 0, len(ladder) - 1), False),
        Control("beside", "Beside it", "relu", "", one_of("what is beside it", BESIDE), False),
        Control("other", "The other γ", 1, "", whole("the other rung of γ", 1, len(ladder) - 1), False),
        Control("colour", "Colour", "identity", "", one_of("the colour", COLOURS), False),
        Control("logit", "Logit", 0, "", whole("the logit", 0, known.n_classes - 1), False),
        Control("start", "Weights", "he", "", one_of("the weights", [*regions.WEIGHTS]), False),
        Control("plane", "Plane", shapes[0], "", one_of("the plane", shapes), False),
        Control("three", "Inputs", planes.usual_three(known), "", planes.read_three(known), False),
        Control("pseed", "Seed of the plane", 0, "", whole("the seed of the plane", 0, MAX_SEED), False),
        Control("clip", "Cut to", "free", "", one_of("what the plane is cut to", [*planes.CLIPS]), False),
        Control("window", "Part of the plane", "", "", planes.read_window, False),
        Control("points", "Points", 0, "", whole("whether points are shown", 0, 1), False),
        Control("regions_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
        Control("over", "Counts against", "width", "", one_of("what the counts are drawn against", [*OVER]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """Let go of what new data, another network or another γ have not; a link's values are left to give a message."""
    now = {"data": setup.data, "net": setup.net, "gamma": setup.gamma}
    before = st.session_state.setdefault(FITTED, now)
    st.session_state[FITTED] = now
    stale = {"rung"} if before != now else set()
    if before["data"] != now["data"]:
        stale |= {"window", "three", "plane", "logit", "clip"}
    if before["net"] != now["net"]:
        stale |= {"other"}
    for c in rows:
        if c.key in stale and c.key in st.session_state:
            st.session_state[c.key] = c.default


def heard() -> None:
    """Take over what the hand did in the picture."""
    told = report("regions", "told") or {}
    if not told.get("poll"):
        background.Quiet.begin()
    picture.heard("regions", told, lambda: found_in(told.get("state", {})))


def found_in(said: dict) -> dict:
    """What a report says of the controls, of the shared ones the seed; ValueError if that makes no sense."""
    rows = (*controls(state.current()), control("seed"))
    return picture.values(said, rows, [c.key for c in rows if c.key in said])


def draw(chosen: dict, told: dict) -> None:
    setup = state.current()  # the hand may have moved the seed
    place = {key: chosen[key] for key in ("plane", "three", "pseed", "clip", "window")}
    choice = planes.choice(setup.data, place)
    asked, kwta, relu = regions.question(setup, chosen["start"], choice)
    ladder = regions.ladder(asked, kwta, relu)
    rung = chosen["rung"] or regions.start(ladder.rungs, setup.gamma, ladder.sizes)
    told = told | {"seq": picture.sequence("regions")}
    shown = chosen | {"rung": rung, "seed": setup.seed, "bare": state.is_presenting(), "usual": chosen["rung"] == 0}
    component("regions")(
        key="regions",
        data=region_answer.packed(asked, ladder, (kwta, relu), shown, told),
        on_told_change=heard,
        height="content",
    )
    with st.container(key="words_regions"):
        details(asked, ladder, rung, chosen)


def details(asked: regions.Question, ladder: regions.Ladder, rung: int, chosen: dict) -> None:
    picture.below("regions_below", BELOW)
    match chosen["regions_below"]:
        case "counts":
            gamma, choice = ladder.rungs[rung].gamma, asked.choice
            of = region_counts.asked(gamma or Fraction(1), asked.kwta.recipe.seed, chosen["start"], choice)
            job = region_counts.job(of)
            st.fragment(show_counts, run_every=None if job.is_done else EVERY)(job, chosen["over"])
        case "table":
            show_table(asked, ladder, rung)
        case "python":
            st.code(region_table.snippet(asked, ladder, rung), language="python")
        case _:
            st.markdown(text.load("regions"))


def show_counts(job: region_counts.Job, over: str) -> None:
    was_done = job.is_done
    job.want()
    picture.choice("Counts against", "over", OVER)
    now = st.session_state.get("over", over)  # this part of the page runs again by itself
    if not job.is_done:
        n = len(job.todo)
        st.progress(len(job.rows) / n, f"{len(job.rows)} of {n} networks counted")
    if job.error:
        st.warning(text.plainly(text.sentence(job.error)), icon=":material/info:")
    if job.rows:
        from app.plots import regions as plots  # Plotly is large, and most visits do without

        rows, words = list(job.rows), plots.in_words(job.rows, region_block.SAMPLED)
        figures = plots.counts(rows, float(job.asked.fraction), "depth" if now == "depth" else "width")
        for column, figure, name in zip(st.columns(2), figures, ("kwta", "relu"), strict=True):
            with column:
                st.plotly_chart(figure, key=f"regions_counts_{name}", config={"displayModeBar": False}, alt=words)
        st.markdown(words)
        picture.download(
            "CSV of the counts", lambda: region_counts.csv(rows), "kwta-counts.csv", "text/csv", "counts_csv"
        )
        picture.download(
            "JSON", lambda: region_counts.as_json(job), "kwta-counts.json", "application/json", "counts_json"
        )
    st.markdown(text.load("regions_counts"))
    with st.expander("The same in Python"):
        st.code(region_counts.snippet(job.asked), language="python")
    if job.is_done and not was_done:
        st.rerun()  # the timer ends


def show_table(asked: regions.Question, ladder: regions.Ladder, rung: int) -> None:
    found = region_table.cells(asked, ladder, rung)
    st.caption(region_table.words(found))
    st.dataframe(region_table.table(found), hide_index=True, height=330, placeholder="–", key="regions_table")
    for label, make, kind in (
        ("CSV", region_table.csv, "text/csv"),
        ("JSON", region_table.as_json, "application/json"),
    ):
        ending = label.lower()
        file, key = f"kwta-regions.{ending}", f"regions_{ending}"
        picture.download(f"{label} of all regions", lambda make=make: make(found), file, kind, key)


background.Quiet.begin()
setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
picture.stage("regions", rows, draw)
