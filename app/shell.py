"""What surrounds every view: the shared controls, the address to share, shortcuts, and the style of the page."""

import io
from collections.abc import Mapping
from urllib.parse import urlsplit

import segno
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, text
from app.components import component
from app.compute import Unusable, data, devices, networks, uploads
from app.controls import MAX_SEED, NETS, Control, control

# Streamlit's own gaps suit documents; a lecture wants the picture. Figures of equal width keep numbers from jumping.
STYLE = """
.stApp { font-variant-numeric: tabular-nums; }
.st-key-shortcuts { position: absolute; }
.stMainBlockContainer [data-testid="stElementContainer"]:has(> .stHtml) { position: absolute; }
.stMainBlockContainer { padding: 4.1rem 1.6rem 2rem; }
.stMainBlockContainer > div > .stVerticalBlock, .stMainBlockContainer > .stVerticalBlock { gap: 0.6rem; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: 0.55rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; min-height: 0; margin-bottom: 0; padding-bottom: 0; }
.katex-display { overflow-x: auto; overflow-y: hidden; padding: 0.15rem 0; }
.stMarkdown table { display: block; max-width: 100%; overflow-x: auto; }
.st-key-views { display: none; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 0.8rem; padding-right: 0.8rem; }
  .katex-display > .katex { font-size: 1em; }
  .st-key-views { display: flex; justify-content: space-between; }
  .st-key-views [data-testid="stPageLink-NavLink"] { padding: 0.1rem 0.25rem; }
  .st-key-views a > :has([data-testid="stIconMaterial"]),
  .st-key-views [data-testid="stIconMaterial"] { display: none; }
}
"""
PRESENTING = """
[data-testid="stSidebar"], [data-testid="stHeader"] { display: none; }
.stMainBlockContainer { padding-top: 0.8rem !important; }
.kwta-words, [class*="st-key-words"], .st-key-views { display: none !important; }
"""


def surroundings(above: DeltaGenerator, side: DeltaGenerator, pages: Mapping) -> None:
    """What is drawn in these two containers: the style, the ways to other views; and the shared controls."""
    with above:
        style()
        shortcuts(pages)
        views(pages)
    with side:
        controls()


def style() -> None:
    """The page's style, with what the link hides (?present=1, ?hide=net,seed)."""
    rules = STYLE + (PRESENTING if state.is_presenting() else "")
    rules += "".join(f".st-key-control-{key} {{ display: none; }}\n" for key in state.hidden())
    st.html(f"<style>{rules}</style>")


def shortcuts(pages: Mapping) -> None:
    """A letter opens a view, unless something is being typed."""
    component("shortcuts")(key="shortcuts", data={letter: page.url_path for letter, page in pages.items()})


def views(pages: Mapping) -> None:
    """Links to the views, for narrow windows, where Streamlit's own navigation is folded away."""
    with st.container(key="views", horizontal=True, gap="xxsmall"):
        for page in pages.values():
            st.page_link(page, label=page.title, icon=None, width="content")


def controls() -> None:
    """The shared controls, each in a container that ?hide= can name."""
    rows = {"data": _data, "noise": _noise, "net": _net, "gamma": _gamma, "seed": _seed, "device": _device}
    for key, draw in rows.items():
        with st.container(key=f"control-{key}", gap="xxsmall"):
            draw(control(key))


def _data(c: Control) -> None:
    own = st.session_state.setdefault("_own", [])
    if uploads.is_own(chosen := state.value(c)) and chosen not in own:
        own.append(chosen)  # the link names an upload that this server still has
    options = (*data.NAMES, *own)
    st.selectbox(c.label, options, key=c.key, help=c.help, format_func=data.described, persist_state="session")
    with st.popover("Data of your own", icon=":material/upload_file:", width="stretch", key="own_data"):
        st.caption(
            "CSV: two coordinates and a label per line. NPZ: arrays x and labels, or x_train, labels_train, … "
            "ZIP: images in one folder per class."
        )
        st.file_uploader(
            "File", type=["csv", "npz", "zip"], key="upload", on_change=_uploaded, label_visibility="collapsed"
        )
        if problem := st.session_state.get("_upload_problem"):
            st.warning(text.plainly(text.sentence(problem)), icon=":material/info:")  # where the eyes are


def _uploaded() -> None:
    """Take the file that was dropped: its data are chosen, or what is wrong with it is said."""
    file = st.session_state["upload"]
    st.session_state["_upload_problem"] = ""
    if file is None:
        return
    try:
        name = uploads.keep(file.name, file.getvalue())
    except Unusable as error:
        st.session_state["_upload_problem"] = str(error)
        return
    if name not in st.session_state["_own"]:
        st.session_state["_own"].append(name)
    st.session_state["data"] = name


def _noise(c: Control) -> None:
    if data.is_made(state.value(control("data"))):
        st.slider(c.label, 0.0, 0.5, c.default, 0.01, key=c.key, help=c.help, format="%.2f", bind="query-params")


def _net(c: Control) -> None:
    st.selectbox(c.label, NETS, key=c.key, help=c.help, accept_new_options=True, persist_state="session")


def _gamma(c: Control) -> None:
    st.slider(c.label, 0.01, 1.0, c.default, 0.01, key=c.key, help=c.help, format="%.2f", bind="query-params")
    try:
        st.caption(networks.winners(state.current()))
    except Unusable as error:
        st.caption(f":orange[{text.plainly(text.sentence(error))}]")


def _seed(c: Control) -> None:
    number, button = st.columns([3, 2], vertical_alignment="bottom", gap="small")
    number.number_input(c.label, 0, MAX_SEED, c.default, 1, key=c.key, help=c.help, bind="query-params")
    button.button("New", key="new_seed", on_click=state.new_seed, help="Draw another seed", width="stretch")


def _device(c: Control) -> None:
    choices = ("auto", *devices.available())
    st.selectbox(c.label, choices, key=c.key, help=c.help, format_func=devices.described, persist_state="session")


def notices() -> None:
    """What was wrong with the link or a control."""
    told = [text.plainly(text.sentence(problem)) for problem in state.problems()]
    if told:
        st.warning("\n".join(f"- {one}" for one in told) if len(told) > 1 else told[0], icon=":material/info:")


def share() -> None:
    """The link to this very state, and its QR code, large enough for a lecture hall."""
    if st.button("Share this state", icon=":material/qr_code_2:", key="share", width="stretch"):
        _shared()


@st.dialog("This state as a link", width="medium")
def _shared() -> None:
    address = state.link()
    with st.container(horizontal_alignment="center"):
        st.image(qr(address), width=370, alt=f"QR code of {address}")
    st.code(address, language=None, wrap_lines=True)
    if is_local(address):
        st.caption(text.load("share_local"))


def is_local(address: str) -> bool:
    """Whether no other computer can open the address."""
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


def qr(address: str) -> str:
    """The address as a QR code, an SVG text; black on white in either theme, for cameras."""
    out = io.BytesIO()
    segno.make(address, micro=False).save(out, kind="svg", scale=4, border=2, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()
