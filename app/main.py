"""The entry of the app: `python -m app`, or `python -m streamlit run app/main.py`. One row of VIEWS per view."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:  # plain `streamlit run` only knows the folder of this script
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

from app import shell, state, text  # noqa: E402
from app.compute import Unusable, warm  # noqa: E402


@dataclass(frozen=True)
class View:
    """A page: app/views/<name>.py, its title, its icon, and the key that opens it."""

    name: str
    title: str
    icon: str
    key: str


# The first is the landing page.
VIEWS = (
    View("train", "Train", ":material/play_circle:", "t"),
    View("operator", "Operator", ":material/equalizer:", "o"),
    View("patterns", "Patterns", ":material/grid_view:", "p"),
    View("line", "Line", ":material/show_chart:", "l"),
    View("regions", "Regions", ":material/hexagon:", "r"),
    View("jumps", "Jumps", ":material/landslide:", "j"),
    View("attack", "Attack", ":material/bolt:", "a"),
    View("robustness", "Robustness", ":material/shield:", "b"),
    View("claims", "Claims", ":material/balance:", "c"),
)

st.set_page_config("k-winners-take-all", page_icon=f"{ROOT}/app/icon.svg", layout="wide")
warm.warm_up()  # at once where the server has done it (app/server.py)
state.begin()
pages = {
    view.key: st.Page(
        f"views/{view.name}.py",
        title=view.title,
        icon=view.icon,
        url_path="" if view is VIEWS[0] else view.name,
        default=view is VIEWS[0],
    )
    for view in VIEWS
}
page = st.navigation(list(pages.values()), position="top")
above = st.container(key="above", gap=None)
with st.sidebar:
    controls = st.container(key="controls", gap=None)
    share = st.container()
notices = st.container()
state.follow()
# Somebody waits for the picture, not for what surrounds it: where the controls' values are known, it is sent first.
is_late = state.is_again()
if not is_late:
    shell.surroundings(above, controls, pages)
try:
    page.run()
except Unusable as error:
    st.warning(text.plainly(text.sentence(error)), icon=":material/info:")
finally:
    if is_late:
        state.rest()  # with all of it at once the browser would paint the picture last
        shell.surroundings(above, controls, pages)
state.end()
with notices:
    shell.notices()
with share:
    shell.share()
state.rest()
