"""Two networks learn side by side: k-WTA and its twin, same data, same seed."""

import streamlit as st

from app import picture, state, text
from app.components import component, report
from app.compute import Unusable, data, networks, recipes, training
from app.compute.recipes import OPTIMISERS, RELU
from app.controls import Control, Setup, control, one_of, whole

CONTROLS = (
    Control("against", "Beside it", RELU, "The twin: same data, sizes and seed.", recipes.read_twin, False),
    Control(
        "anneal",
        "γ while training",
        "held",
        "Held, or lowered from 2γ to γ; at γ = 0.1 and 41 epochs or more that is the recipe of Xiao et al. (2020).",
        one_of("the schedule of γ", tuple(recipes.SCHEDULES)),
        bound=False,
    ),
    Control("epochs", "Epochs", 20, "Passes over the training data.", whole("the epochs", 1, recipes.MAX_EPOCHS)),
    Control("batch", "Batch", 64, "Examples per step.", whole("the batch", 1, 1024)),
    Control("optimiser", "Optimiser", "sgd", "SGD has momentum 0.9.", one_of("the optimiser", OPTIMISERS), False),
    Control("rate", "Learning rate", 0.1, "SGD likes 0.1 here, Adam 0.001.", recipes.read_rate),
    Control(
        "drops",
        "Learning rate later",
        "",
        "Pairs EPOCH:RATE, such as 10:0.01, 15:0.001: from the start of that epoch on.",
        recipes.read_steps,
        bound=False,
    ),
    Control("decay", "Weight decay", 0.0, "L2 penalty added to the gradient; 0 is none.", recipes.read_decay),
    Control("clipping", "Gradient clipping", 0.0, "Largest L2 norm of the gradient; 0 is none.", recipes.read_clip),
    Control(
        "patience",
        "Patience",
        0,
        "Stop after so many epochs in a row without a lower training loss; 0 never stops early.",
        whole("the patience", 0, recipes.MAX_EPOCHS),
    ),
    Control(
        "gammas",
        "γ of each layer",
        "",
        "One for every hidden layer, such as 0.3, 0.1, instead of the shared γ. On this page only.",
        recipes.read_gammas,
        bound=False,
    ),
)

PLAN = ("epochs", "batch", "optimiser", "rate", "clipping", "drops", "decay", "patience")


def chooser(key: str, options, **more) -> None:
    c = control(key, CONTROLS)
    st.selectbox(c.label, options, key=key, help=c.help, persist_state="session", **more)


def number(key: str, low, high, step, **more) -> None:
    c = control(key, CONTROLS)
    st.number_input(c.label, low, high, c.default, step, key=key, help=c.help, bind="query-params", **more)


def typed(key: str, example: str) -> None:
    c = control(key, CONTROLS)
    st.text_input(c.label, key=key, help=c.help, placeholder=example, persist_state="session")


def controls(setup: Setup) -> None:
    beside, schedule, epochs, more = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    with beside:
        chooser("against", recipes.TWINS, format_func=recipes.twin_name, accept_new_options=True)
    with schedule:
        chooser("anneal", tuple(recipes.SCHEDULES), format_func=recipes.SCHEDULES.get)
    with epochs:
        number("epochs", 1, recipes.MAX_EPOCHS, 1)
    with more, st.popover("More", width="stretch", key="train_more"):
        left, right = st.columns(2)
        with left:
            chooser("optimiser", OPTIMISERS)
            number("rate", recipes.LEAST_RATE, recipes.MOST, 0.01, format="%g")
            typed("drops", "10:0.01, 15:0.001")
            typed("gammas", "as the shared γ")
        with right:
            number("batch", 1, 1024, 1)
            number("decay", 0.0, 1.0, 0.0001, format="%g")
            number("clipping", 0.0, recipes.MOST, 0.1, format="%g")
            number("patience", 0, recipes.MAX_EPOCHS, 1)
    if course := recipes.course(setup.gamma, value("epochs"), value("anneal")):
        st.caption(course)


def value(key: str):
    return state.value(control(key, CONTROLS))


def wanted() -> None:
    """The page asks for the frames from `have` on, or to cancel the training, or to train again."""
    st.session_state["_train_more"] = report("train_stage", "more")


@st.fragment
def stage(pair: recipes.Pair) -> bool:
    """The two networks as far as they have learnt; whether there are any, for without data none is trained."""
    if state.is_left_behind():
        st.rerun()
    more = st.session_state.pop("_train_more", None) or {}
    is_ours = more.get("key") == recipes.key(pair)
    viewer = training.viewer()
    try:
        if is_ours and more.get("wish") == "cancel":
            viewer.cancel(pair)
        elif is_ours and more.get("wish") == "again":
            viewer.again()
        block = viewer.chunk(pair, recipes.read_have(more.get("have")) if is_ours else 0)
    except Unusable as error:
        picture.refused(error)
        return False
    component("train")(key="train_stage", data=block, on_more_change=wanted, height="content")
    return True


def about(setup: Setup) -> str:
    """The text that is true of what is drawn: a map of the plane, kernels, or the weights of units."""
    if data.outline(setup.data).shape == (2,):
        return "train_planar"
    return "train_maps" if networks.layers(setup.net).channels else "train_images"


def save(recipe: recipes.Recipe) -> None:
    viewer = training.viewer()
    st.download_button(
        "Download the k-WTA network",
        data=lambda: viewer.checkpoint(recipe),
        file_name=training.file_name(recipe),
        mime="application/octet-stream",
        icon=":material/download:",
        key="train_download",
        on_click="ignore",
        help="As far as it has learnt on this page: weights and spec in one file, see kwta.networks.from_bytes.",
    )


setup = state.current()
state.follow(CONTROLS)
stands_above = st.container()
with st.container(key="words_train_controls"):
    controls(setup)
schedule = recipes.schedule(*(value(key) for key in PLAN))
learns = None
with stands_above:
    try:
        pair = recipes.pair(setup, recipes.net(setup, value("gammas")), value("against"), value("anneal"), schedule)
        learns = pair.left if stage(pair) else None
    except Unusable as error:
        picture.refused(error)
with st.container(key="words_train"):
    st.markdown(text.load(about(setup)))
    if learns:
        save(learns)
