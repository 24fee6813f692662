"""One input under attack: white-box, black-box and adaptive side by side, step by step, over the exact regions."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from app import answers, picture, state, text
from app.components import component, report
from app.compute import attack, attack_answer, attack_specs, attack_table, data, inputs, line, networks, trained
from app.controls import MAX_SEED, Control, Setup, one_of, read_gamma, whole

BELOW = {"about": "Explained", "table": "Table", "python": "The same in Python"}
MAGNIFIED = ("1", "5", "max")
CURVES = ("margin", "loss")
FITTED = "_attack_fitted"
# Of the default network it holds: PGD does not fool it there, the adaptive attack does.
FIRST_IMAGE = "7"


def controls(setup: Setup) -> tuple[Control, ...]:
    """The view's own controls; which inputs, losses and γ there are depends on data and network."""
    known = data.data(setup.data)
    gammas = line.reader(networks.spec(setup).sizes, read_gamma)
    first = FIRST_IMAGE if len(known.x_test) > int(FIRST_IMAGE) else "0"
    return (
        Control("image", "Input", first, "", inputs.reader(known), False),
        Control("who", "Network", "kwta", "", one_of("the network", [*trained.ACTIVATIONS]), False),
        Control("learned", "Weights", "trained", "", one_of("the weights", [*trained.WEIGHTS]), False),
        Control("agamma", "γ on this page", setup.gamma, "", gammas, False),
        Control("eps", "ε", attack_specs.first_eps(known), "", attack_specs.eps_reader(known), False),
        Control("ball", "Norm", "linf", "", one_of("the norm", [*attack_specs.NORMS]), False),
        Control("white", "White-box", "pgd", "", one_of("the white-box attack", [*attack_specs.WHITE]), False),
        Control("black", "Black-box", "square", "", one_of("the black-box attack", [*attack_specs.BLACK]), False),
        Control("adaptive", "Adaptive", "smoothed", "", one_of("the estimator", [*attack_specs.ADAPTIVE]), False),
        Control("loss", "Loss", "cross-entropy", "", one_of("the loss", attack_specs.losses(known)), False),
        Control("rule", "Step", "absolute", "", one_of("the step rule", attack_specs.RULES), False),
        Control("stride", "Size", attack_specs.first_step(known), "", attack_specs.step_reader(known), False),
        Control("steps", "Steps", 40, "", whole("the number of steps", 1, attack_specs.MOST_STEPS), False),
        Control("begin", "Start", "clean", "", one_of("the start", ("clean", "random")), False),
        Control("queries", "Queries", 1000, "", whole("the queries", 10, attack_specs.MOST_QUERIES), False),
        Control("aseed", "Seed of the attacks", 0, "", whole("the seed of the attacks", 0, MAX_SEED), False),
        Control("column", "Path shown", "white", "", one_of("the column", [*attack_specs.COLUMNS]), False),
        Control("across", "Plane", "ends", "", one_of("the plane", ("ends", "path")), False),
        Control("magnified", "δ magnified", "max", "", one_of("the magnification", MAGNIFIED), False),
        Control("curve", "Curve", "margin", "", one_of("the curve", CURVES), False),
        Control("at", "Step", -1, "", read_place, False),
        Control("attack_below", "Below the picture", "about", "", one_of("what is below", [*BELOW]), False),
    )


def read_place(text: str) -> int:
    """The place that is looked at, or −1 for the end."""
    return -1 if text.strip() == "-1" else whole("the step looked at", 0, 100_000)(text)


KEYS = (
    *("image", "who", "learned", "agamma", "eps", "ball", "white", "black", "adaptive", "loss", "rule", "stride"),
    *("steps", "begin", "queries", "aseed", "column", "across", "magnified", "curve", "at"),
)


def fit(rows: tuple[Control, ...], setup: Setup) -> None:
    """New data have inputs and radii of their own, and γ follows that of the shared controls."""
    now = (setup.data, setup.net, setup.gamma)
    before = st.session_state.setdefault(FITTED, now)
    st.session_state[FITTED] = now
    for c in rows:
        moved = before[0] != setup.data and c.key in ("image", "eps", "stride", "loss", "at")
        moved |= c.key == "agamma" and before[2] != setup.gamma
        if c.key in st.session_state and (moved or not picture.is_readable(c)):
            st.session_state[c.key] = c.default


def heard() -> None:
    """Take over what the hand did in the picture."""
    told = report("attack", "moved") or {}
    picture.heard("attack", told, lambda: picture.values(told, controls(state.current()), KEYS))


def draw(setup: Setup, rows: tuple[Control, ...], chosen: dict, told: dict) -> None:
    aim, snapshot = attack.target(setup, chosen["learned"], chosen["who"], chosen["agamma"], chosen["image"])
    bare = {"bare": state.is_presenting()}
    basis = (setup, snapshot.which, snapshot.frames, snapshot.is_done)
    offer = answers.offered("attack", basis, partial(answer, setup, rows, snapshot, bare))
    now = {"seq": picture.sequence("attack"), "answers": offer.path if snapshot.is_done else ""}
    shown = {key: chosen[key] for key in KEYS} | bare
    component("attack")(
        key="attack",
        data=attack_answer.packed(aim, snapshot, shown, told | now),
        on_moved_change=heard,
        height="content",
    )
    with st.container(key="words_attack"):
        details(aim, snapshot, chosen)


def answer(
    setup: Setup, rows: tuple[Control, ...], snapshot: trained.Snapshot, bare: dict, told: Mapping
) -> bytes | None:
    """The answer to a report on the network that the page has drawn; None where it asks for another."""
    chosen = picture.understood(told, rows, KEYS)
    if chosen is None or not isinstance(told.get("seq"), int):
        return None
    if trained.which(setup, chosen["learned"], chosen["who"]) != snapshot.which:
        return None
    aim = attack.target_of(snapshot, chosen["agamma"], chosen["image"])
    return attack_answer.packed(aim, snapshot, chosen | bare, dict(told))


def details(aim: attack.Target, snapshot: trained.Snapshot, chosen: dict) -> None:
    picture.below("attack_below", BELOW)
    match chosen["attack_below"]:
        case "table":
            show_table(aim, snapshot, chosen)
        case "python":
            st.code(attack_table.snippet(aim, snapshot, chosen), language="python")
        case _:
            st.markdown(text.load("attack"))


def show_table(aim: attack.Target, snapshot: trained.Snapshot, chosen: dict) -> None:
    attempt = attack_specs.attempts(aim, chosen)[chosen["column"]]
    st.caption(f"{attack_specs.COLUMNS[chosen['column']]}: {text.load('attack_table')}")
    st.dataframe(
        attack_table.table(attempt, snapshot), hide_index=True, height=330, placeholder="–", key="attack_table"
    )
    for label, make, kind in (
        ("CSV", attack_table.csv, "text/csv"),
        ("JSON", attack_table.as_json, "application/json"),
    ):
        file, key = f"kwta-attack.{label.lower()}", f"attack_{label.lower()}"
        picture.download(label, partial(make, aim, snapshot, chosen), file, kind, key)


setup = state.current()
rows = controls(setup)
fit(rows, setup)
state.follow(rows)
picture.stage("attack", rows, partial(draw, setup, rows))
