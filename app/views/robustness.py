"""How many images each network still has right under each attack, and whether its gradients hide that it is fewer."""

from functools import partial

import streamlit as st

from app import picture, state, text
from app.compute import Unusable, robust, robust_files, robust_job, robust_plan, robust_snippet, robust_words
from app.compute.robust_job import Job
from app.compute.robust_plan import Question
from app.controls import Control, Setup, control, one_of, whole
from app.plots import robustness_table

BELOW = {
    "about": "Explained",
    "verdicts": "Verdicts",
    "curve": "Accuracy against ε",
    "numbers": "All numbers",
    "python": "The same in Python",
}
FITTED, STARTED, RESTING, WORKING = "_robust_fitted", "_robust_started", "_robust_resting", "_robust_working"
CHOICES = (("rnorm", "Norm", robust_plan.NORMS), ("ensemble", "Attacks", robust_plan.ENSEMBLES))
# Seconds between two looks at a job.
PERIOD = 1.0


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which ε there are depends on data and norm."""
    norm = "l2" if (st.session_state.get("rnorm") or st.query_params.get("rnorm")) == "l2" else "linf"
    eps, read = robust_plan.usual_eps(setup.data, norm), robust_plan.eps_reader(setup.data, norm)
    images = whole("the number of images", 1, robust_plan.MAX_IMAGES)
    return (
        Control("rnorm", "Norm", "linf", "", one_of("the norm", [*robust_plan.NORMS]), False),
        Control("reps", "ε", eps, "How far an input may move, in the units of the data.", read, False),
        Control(
            "others",
            "Also k-WTA with γ",
            robust_plan.usual_others(setup),
            "Networks beside ReLU and the γ of the sidebar, each trained for its γ.",
            robust_plan.read_gammas,
            False,
        ),
        Control("hardened", "Training", "plain", "", one_of("the training", [*robust_plan.TRAININGS]), False),
        Control("rimages", "Test images", 100, "The first so many; the same for every network.", images, False),
        Control("ensemble", "Attacks", "quick", "", one_of("the attacks", [*robust_plan.ENSEMBLES]), False),
        Control("rcurve", "Other ε", 0, "", whole("whether other ε are measured", 0, 1), False),
        Control("robustness_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """Other data and another norm have an ε of their own, and other layers further γ that they can have."""
    now = {"reps": (setup.data, state.value(control("rnorm", rows))), "others": (setup.data, setup.net)}
    before = st.session_state.setdefault(FITTED, now)
    for key in now:
        if before[key] != now[key]:
            st.session_state[key] = control(key, rows).default
    st.session_state[FITTED] = now


def choose(rows: tuple[Control, ...], setup: Setup) -> None:
    """The controls on the page."""
    help = {c.key: c.help for c in rows}
    most = robust_plan.most_eps(setup.data, state.value(control("rnorm", rows)))
    with st.container(key="words_robust_controls", horizontal=True, vertical_alignment="bottom"):
        example = "ReLU and γ alone"
        st.text_input(
            "Also k-WTA with γ",
            key="others",
            help=help["others"],
            placeholder=example,
            width=190,
            persist_state="session",
        )
        st.number_input(
            "ε",
            0.001,
            most,
            step=0.01,
            format="%.3f",
            key="reps",
            help=help["reps"],
            width=150,
            persist_state="session",
        )
        names = robust_plan.TRAININGS
        st.segmented_control(
            "Training", [*names], key="hardened", format_func=names.__getitem__, required=True, persist_state="session"
        )
        with st.popover("More", key="robust_more"):
            most = robust_plan.MAX_IMAGES
            st.number_input(
                "Test images", 1, most, step=50, key="rimages", help=help["rimages"], persist_state="session"
            )
            for key, label, names in CHOICES:
                st.selectbox(label, [*names], key=key, format_func=names.__getitem__, persist_state="session")


def start(asked: Question) -> None:
    st.session_state[STARTED], st.session_state[RESTING] = asked, None


def rest(asked: Question) -> None:
    st.session_state[STARTED] = st.session_state[RESTING] = asked


def cancel(asked: Question) -> None:
    st.session_state[STARTED], st.session_state[RESTING] = None, asked
    robust_job.watcher().cancel(robust.job(asked))


def measure_curve(wanted: int, asked: Question) -> None:
    st.session_state["rcurve"] = wanted
    start(robust_plan.with_curve(asked, bool(wanted)))


def draw(setup: Setup, rows: tuple[Control, ...]) -> None:
    """The judgement that the controls describe, as far as it is."""
    if state.is_left_behind():
        st.rerun()
    state.follow(rows)
    try:
        asked = robust_plan.question(setup, {c.key: state.value(c) for c in rows})
        is_going = show(robust.job(asked))
    except Unusable as error:
        picture.refused(error)
        robust_job.watcher().rest()
        is_going = False
    if st.session_state.get(WORKING, True) != is_going:
        st.session_state[WORKING] = is_going
        st.rerun()  # the page looks again and again only while something is going on


def show(found: Job) -> bool:
    """The table and what is below it; whether the job goes on. One under way is watched, so that it does."""
    is_started = st.session_state.get(STARTED) == found.asked or robust.is_cheap(found.asked)
    is_going = is_started and st.session_state.get(RESTING) != found.asked and not found.is_done
    watcher = robust_job.watcher()
    if is_going:
        watcher.watch(found)
    else:
        watcher.rest()
    with st.container(key="robust_job", horizontal=True, vertical_alignment="center"):
        steer(found, is_going)
    with st.container(key="robust_table"):
        st.html(robustness_table.html(robust.table(found)))
        st.html(robustness_table.key(robust.attack_key(found)))
    for failure in robust_words.failures(found):
        st.warning(text.plainly(failure), icon=":material/info:")
    if words := robust_words.in_words(found):
        st.markdown("  \n".join(words))
    with st.container(key="words_robustness"):
        details(found)
    return is_going


def steer(found: Job, is_going: bool) -> None:
    """How far the job is, and its buttons."""
    asked, share = (found.asked,), found.share
    if found.is_done:
        st.caption(f"Done, in {found.seconds:.0f} seconds of computing." if found.seconds else "Done.")
    elif is_going:
        st.progress(share, f"{share:.0%}: {robust_words.progress(found)}")
        st.button("Pause", icon=":material/pause:", key="robust_pause", on_click=rest, args=asked)
        st.button("Cancel", icon=":material/close:", key="robust_cancel", on_click=cancel, args=asked)
    else:
        label = robust_words.begin(found, st.session_state.get(STARTED) == found.asked)
        st.button(label, icon=":material/play_arrow:", key="robust_start", type="primary", on_click=start, args=asked)
        st.caption(robust_words.plan(found))


def details(found: Job) -> None:
    picture.below("robustness_below", BELOW)
    match st.session_state["robustness_below"]:
        case "verdicts":
            show_verdicts(found)
        case "curve":
            show_curves(found)
        case "numbers":
            show_numbers(found)
        case "python":
            st.code(robust_snippet.python(found.asked), language="python")
            st.caption("On the command line; its attacks draw other random numbers than the page.")
            st.code(robust_snippet.command_lines(found.asked), language="bash")
        case _:
            st.markdown(text.load("robustness"))


SEEN = {True: ":orange[✗ **Yes.**]", False: "✓ **Not clearly.**"}


def show_verdicts(found: Job) -> None:
    for one in robust_words.verdicts(found):
        lines = (f"- {text.plainly(s.question)} {SEEN[s.is_seen]} :small[{text.plainly(s.detail)}]" for s in one.signs)
        st.markdown("\n".join((f"**{text.plainly(one.name)}**: {text.plainly(one.verdict)}\n", *lines)))


def show_curves(found: Job) -> None:
    asked = found.asked
    if asked.with_curve:
        st.button("Leave other ε out", key="robust_less", on_click=measure_curve, args=(0, asked))
    else:
        st.button("Measure at other ε too", key="robust_curve", on_click=measure_curve, args=(1, asked))
        st.caption(robust_words.curve_plan(asked))
    curves = robust.curves(found)
    if not curves:
        st.info("No network has been judged yet.", icon=":material/hourglass:")
        return
    from app.plots import robustness as plots  # Plotly is large, and most visits do without

    for place, which in zip(st.columns(2), ("pgd", "worst"), strict=True):
        figure = plots.curves(curves, which, asked.first.threat.eps)
        config = {"displayModeBar": False}
        place.plotly_chart(figure, key=f"robust_{which}", config=config, alt=plots.in_words(curves, which))
    st.caption(plots.note(curves, asked.first.n))


def show_numbers(found: Job) -> None:
    if not (rows := robust_files.rows(found)):
        st.info("No network has been judged yet.", icon=":material/hourglass:")
        return
    st.dataframe(rows, hide_index=True, height=330, placeholder="–", key="robust_numbers")
    with st.container(key="robust_files", horizontal=True):
        picture.download("CSV", lambda: robust_files.csv(found), "kwta-robustness.csv", "text/csv", "robust_csv")
        kind = "application/json"
        picture.download("JSON", lambda: robust_files.as_json(found), "kwta-robustness.json", kind, "robust_json")


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
choose(rows, setup)
look_again = PERIOD if st.session_state.get(WORKING, True) else None
st.fragment(partial(draw, setup, rows), run_every=look_again)()
