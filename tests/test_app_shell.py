"""What surrounds the views: links, shared controls, shortcuts, the server, and the words of the controls."""

import ast
import re
import socket
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import segno
from streamlit.testing.v1 import AppTest

from app import __main__ as command
from app import components, shell, text
from app.compute import Unusable, data, networks
from app.controls import CONTROLS, Setup
from kwta.networks import CNN, MLP, build

ROOT = Path(__file__).resolve().parents[1]
VIEWS = sorted(path.stem for path in (ROOT / "app" / "views").glob("*.py") if path.stem != "__init__")
SECONDS = 120


def opened(view: str = "operator", **link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in link.items():
        at.query_params[key] = str(value)
    at.switch_page(f"views/{view}.py")
    return at.run()


def setup_of(at: AppTest) -> dict:
    return {key: at.session_state[key] for key in ("data", "net", "gamma", "seed", "device")}


def test_a_link_sets_every_shared_control():
    at = opened(data="moons", net="32,32", gamma=0.35, seed=7, device="cpu")
    assert not at.exception
    assert not at.warning
    assert setup_of(at) == {"data": "moons", "net": "32,32", "gamma": 0.35, "seed": 7, "device": "cpu"}
    assert "k = 11 of 32, 11 of 32" in [c.value for c in at.caption]


def test_without_a_link_the_controls_are_at_the_defaults_of_the_setup():
    at = opened()
    assert Setup(**setup_of(at)) == Setup()
    assert {c.key: c.default for c in CONTROLS}.items() >= setup_of(at).items()


def test_a_new_seed_changes_the_seed_alone():
    at = opened(gamma=0.4, data="xor")
    before = setup_of(at)
    at.button(key="new_seed").click().run()
    after = setup_of(at)
    assert after.pop("seed") != before.pop("seed")
    assert after == before


def test_the_complaint_about_a_link_ends_when_the_control_is_used():
    at = opened(gamma=7)
    assert "got '7'" in at.warning[0].value
    at.run()
    assert at.warning
    at.slider(key="gamma").set_value(0.5).run()
    assert not at.warning


def test_own_values_that_are_wrong_leave_the_last_right_ones_in_picture_and_link():
    at = opened(preset="own", values="3,2,1")
    at.text_input(key="values").set_value("3,2,x").run()
    assert "got 'x'; using 3, 2, 1." in at.warning[0].value
    assert at.query_params["values"] == "3, 2, 1"
    assert at.text_input(key="values").value == "3,2,x"  # what was typed is there to be mended
    at.text_input(key="values").set_value("3,2,5").run()
    assert not at.warning
    assert at.query_params["values"] == "3,2,5"


@pytest.mark.parametrize(
    ("key", "words", "shown"),
    [
        ("net", "![](http://a.example/x.png)", "got '!\\[\\](http\\:\u2060//a.example/x.png)'"),
        ("preset", "[Update](http://a.example)", "got '\\[Update\\](http\\:\u2060//a.example)'"),
        ("gamma", ":red[$x$]", "got '\\:\u2060red\\[\\$x\\$\\]'"),
        ("data", "<b>`www.a.example`", "got '\\<b\\>\\`www\u2060.a.example\\`'"),
    ],
)
def test_words_of_a_link_are_shown_and_never_obeyed(key: str, words: str, shown: str):
    assert shown in opened(**{key: words}).warning[0].value


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("1. one", r"1\. one"),
        ("- one", r"\- one"),
        ("# one\n\n# two", r"\# one \# two"),
        ("a_b ~c~ *d* &amp;", r"a\_b \~c\~ \*d\* \&amp;"),
        (":smile: :material/home: :streamlit:", "\\:\u2060smile: \\:\u2060material/home: \\:\u2060streamlit:"),
        ("me@a.example", "me@\u2060a.example"),
        ("1 -> 2 -- 3", "1 -\u2060\\> 2 -\u2060- 3"),
        (ValueError("64,64 / γ: 0.5"), "64,64 / γ: 0.5"),
    ],
)
def test_no_words_are_markdown_after_plainly(words: object, shown: str):
    assert text.plainly(words) == shown


def test_every_message_of_an_error_is_shown_plainly():
    shown = 0
    for path in (ROOT / "app").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("st."):
                said = ast.unparse(call)
                named = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)} & {"error", "problem"}
                rest = re.sub(r"text\.plainly\(text\.sentence\((\w+\.)?(error|problem)\)\)", "", said)
                assert not re.search(r"\b(error|problem)\b", rest), f"{path.name}: {said}"
                shown += len(named)
    assert shown >= 4


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["points", "conv"])
def test_every_view_survives_a_network_that_does_not_fit_the_data(view: str, name: str):
    link = {"points": {"data": "moons", "net": "conv 4"}, "conv": {"data": "digits", "net": "conv 4,4,4,4,4"}}[name]
    at = opened(view, **link)
    assert not at.exception


def test_presenting_hides_what_is_not_the_picture():
    style = opened(present=1, hide="net,seed,<b>").main.children  # the page still runs
    assert style
    at = opened(present=1, hide="net,seed,x{},<b>")
    rules = next(node.proto.body for node in walk(at._tree) if getattr(node, "type", "") == "html")
    assert '[data-testid="stSidebar"]' in rules
    assert ".st-key-control-net {" in rules
    assert ".st-key-control-seed {" in rules
    assert "x{}" not in rules
    assert "<b>" not in rules
    plain = next(node.proto.body for node in walk(opened()._tree) if getattr(node, "type", "") == "html")
    assert '[data-testid="stSidebar"],' not in plain


def walk(node):
    yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


def test_a_complaint_keeps_a_small_gamma_and_ends_with_one_full_stop():
    said = opened("operator", gamma=0, data="own-mine.csv-123").warning[0].value
    assert "γ must be" in said
    assert "Γ" not in said
    assert "must be uploaded again: this server no longer has it; using digits." in said


def test_every_view_is_linked_for_narrow_windows():
    links = [node.proto.label for node in walk(opened()._tree) if getattr(node, "type", "") == "page_link"]
    assert sorted(label.lower() for label in links) == VIEWS


def test_sharing_shows_the_link_of_this_state():
    at = opened(data="moons", gamma=0.35, preset="ties", detail="python")
    at.button(key="share").click().run()
    assert not at.exception
    shown = " ".join(code.value for code in at.code)
    for part in ("data=moons", "gamma=0.35", "preset=ties", "detail=python"):
        assert part in shown
    assert "seed=" not in shown
    assert "net=" not in shown


def test_the_qr_code_is_one_drawing_of_the_address():
    address = "http://example.org:8501/operator?gamma=0.35"
    drawing = shell.qr(address)
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert drawing != shell.qr(address + "1")
    assert int(re.findall(r'width="(\d+)"', drawing)[0]) == segno.make(address, micro=False).symbol_size(4, 2)[0]


@pytest.mark.parametrize(
    ("words", "channels", "widths"),
    [
        ("64,64", (), (64, 64)),
        (" 100 , 50 ", (), (100, 50)),
        ("conv 8,16 / 64", (8, 16), (64,)),
        ("conv 8", (8,), ()),
        ("conv 8/32,32", (8,), (32, 32)),
    ],
)
def test_a_network_is_read_from_words_and_written_as_words(words: str, channels: tuple, widths: tuple):
    found = networks.layers(words)
    assert (found.channels, found.widths) == (channels, widths)
    assert networks.layers(str(found)) == found


@pytest.mark.parametrize(
    "words",
    ["", " ", ",", "64,", "64,,64", "64;64", "-3", "1.5", "0", "4097", "9" * 30, "conv", "conv /", "conv x", "conv 999",
     "64 / 64", "conv 8 / 64 / 64", "x" * 500, ",".join("8" * 9), "٣"],
)  # fmt: skip
def test_words_that_are_no_network_are_refused_with_the_words(words: str):
    with pytest.raises(networks.NetworkError, match="got") as refusal:
        networks.layers(words)
    assert len(str(refusal.value)) < 250


def test_specs_fit_the_data_and_gamma():
    assert networks.spec(Setup()) == MLP((64, 64, 64, 10), 0.2)
    assert networks.spec(Setup(data="xor", net="8"), relu=True) == MLP((2, 8, 2))
    assert networks.spec(Setup(net="conv 4,8 / 32", gamma=0.25)) == CNN((1, 8, 8), (4, 8), 10, hidden=(32,), gamma=0.25)


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (Setup(data="moons@0.05", net="conv 4"), "convolutions need images; moons has inputs of 2 numbers"),
        (Setup(net="64", gamma=0.01), "without a winner; choose at least 0.02"),
        (Setup(net="conv 4,4,4,4,4"), "pool 2"),
        (Setup(net="8", gamma=0.1), "of 8 units, without a winner"),
        (Setup(data="cifar10", net="4096,4096"), "at most 10,000,000 weights"),
        (Setup(data="nowhere"), "one of digits"),
    ],
)
def test_a_setup_without_network_is_refused_with_the_reason(setup: Setup, message: str):
    with pytest.raises(Unusable, match=message):
        networks.spec(setup)


def test_a_network_has_the_weights_of_the_seed():
    found = networks.network(Setup(seed=4))
    assert not found.training
    expected = build(networks.spec(Setup()), 4)
    for mine, theirs in zip(found.parameters(), expected.parameters(), strict=True):
        assert mine.equal(theirs)


@pytest.mark.parametrize("name", ["digits", "moons", "spirals", "gaussians"])
def test_the_outline_of_a_data_set_is_that_of_its_arrays(name: str):
    found = data.data(name)
    assert data.outline(name) == data.Outline(found.shape, found.n_classes)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "svhn"])
def test_the_outline_of_an_image_set_is_that_of_its_images(
    name: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KWTA_DATA", str(data_folder))
    monkeypatch.setattr(data, "TRAIN_IMAGES", 20)
    monkeypatch.setattr(data, "TEST_IMAGES", 20)
    if not data.at_hand(name):
        pytest.skip(f"{name} is not in {data_folder}")
    found = data.data(name)
    assert data.outline(name) == data.Outline(found.shape, found.n_classes)


def test_a_data_set_that_needs_a_download_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KWTA_DATA", raising=False)
    monkeypatch.setenv("KWTA_CACHE", str(tmp_path))
    for name in data.NAMES:
        assert ("downloads" in data.described(name)) == (name in data.SOURCES)
    for file, _ in data.SOURCES["mnist"].files:
        (tmp_path / "mnist").mkdir(exist_ok=True)
        (tmp_path / "mnist" / file).touch()
    assert data.described("mnist") == "mnist"


def test_files_cannot_be_named_in_a_link(tmp_path: Path):
    (tmp_path / "secret.csv").write_text("1,2,0\n2,3,1\n")
    with pytest.raises(data.DataError, match="one of digits"):
        data.data(str(tmp_path / "secret.csv"))


def test_a_failing_download_becomes_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KWTA_DATA", str(tmp_path / "missing"))
    with pytest.raises(data.DataError, match="KWTA_DATA"):
        data.data("svhn")


def test_every_cache_is_bounded():
    caches = 0
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("cache_data", "cache_resource"):
                caches += 1
        calls = re.findall(r"@st\.cache_(?:data|resource)(\([^\n]*)?", path.read_text(encoding="utf-8"))
        assert all("max_entries" in call for call in calls), path
    assert caches >= 3


def test_a_component_is_its_files_with_the_shared_ones_first():
    parts = components.source("operator")
    shared = (ROOT / "app" / "components" / "shared.js").read_text(encoding="utf-8")
    assert parts["js"].startswith(shared)
    assert parts["js"].count("export default") == 1 + shared.count("export default mounted(")
    with pytest.raises(ValueError, match="no component 'nothing'"):
        components.source("nothing")


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "components").glob("*.js")), ids=lambda path: path.name)
def test_scripts_ask_nobody_but_the_server_they_come_from(path: Path):
    source = path.read_text(encoding="utf-8")
    assert source.count("fetch(") == (path.name == "reports.js")  # at the path of an offer, see app/answers.py
    assert not re.search("https?:|XMLHttpRequest|WebSocket", source.replace("http://www.w3.org/2000/svg", ""))


def test_every_view_has_a_row_with_a_letter_of_its_own():
    source = (ROOT / "app" / "main.py").read_text(encoding="utf-8")
    rows = re.findall(r'View\("(\w+)", "\w+", "[^"]+", "(\w)"\)', source)
    assert sorted(name for name, _ in rows) == VIEWS
    assert len({letter for _, letter in rows}) == len(rows)


@pytest.mark.parametrize(
    ("link", "told", "not_told"),
    [
        ({"net": "8"}, "one unit of the first layer", "kernel"),
        ({"net": "conv 2 / 8"}, "one kernel of the first convolution", "one unit"),
        ({"data": "moons", "net": "8"}, "the class that the network predicts", "the squares"),
    ],
)
def test_the_text_of_the_train_view_fits_what_it_draws(link: dict, told: str, not_told: str):
    words = " ".join(block.value for block in opened("train", epochs=1, **link).markdown)
    assert told in words
    assert not_told not in words


def test_without_data_there_is_no_network_to_download(monkeypatch: pytest.MonkeyPatch):
    assert opened("train", epochs=1, net="8").get("download_button")

    def offline(name: str):
        raise data.DataError(f"cannot download {name}: the network is out of reach")

    monkeypatch.setattr(data, "data", offline)
    at = opened("train", data="mnist", epochs=1, net="8")
    assert "out of reach" in at.warning[0].value
    assert not at.get("download_button")
    assert not at.exception


def test_texts_are_loaded_by_name():
    assert text.load("operator").startswith("**What to see.**")


def test_the_configuration_is_the_one_the_measurements_ask_for():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["enableWebsocketCompression"] is False
    assert {"light", "dark"} <= set(config["theme"])


def test_the_command_reads_its_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert command.options([]).port == 8501
    monkeypatch.setenv("KWTA_PORT", "9001")
    assert command.options([]).port == 9001
    found = command.options(["--port", "9002", "--host", "0.0.0.0", "--no-browser"])
    assert (found.port, found.host, found.no_browser) == (9002, "0.0.0.0", True)
    with pytest.raises(SystemExit):
        command.options(["--port", "70000"])
    assert "from 1 to 65535, got '70000'" in capsys.readouterr().err


def test_a_port_in_use_is_told_in_plain_words_before_anything_is_loaded(capsys: pytest.CaptureFixture):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command.main(["--port", str(port), "--no-browser"]) == 1
        told = capsys.readouterr()
    assert told.err.startswith(f"Port {port} is in use")
    assert re.search(r"take another with --port \d+\.$", told.err.strip())
    assert told.out == ""  # not even warming up
    assert command.obstacle("127.0.0.1", port) == ""


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
def test_an_address_that_is_not_of_this_computer_is_told_with_the_option_to_change(host: str):
    assert re.search(rf"{host}.*--host", command.obstacle(host, 8501))


def test_everybodys_address_and_that_of_this_computer_can_be_served():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert [command.obstacle(host, port) for host in ("0.0.0.0", "127.0.0.1", "localhost", "")] == [""] * 4


@pytest.mark.parametrize("address", ["http://localhost:8501/line", "http://127.0.0.1:8501", "http://[::1]:8501/"])
def test_a_link_that_only_this_computer_can_open_says_how_others_get_in(address: str):
    assert shell.is_local(address)
    assert "--host 0.0.0.0" in text.load("share_local")
    assert not shell.is_local("http://lecture.example:8501/line")


@pytest.mark.slow
def test_warming_up_freezes_what_is_loaded():
    lines = "import gc; from app.compute.warm import warm_up; warm_up(); n = gc.get_freeze_count(); warm_up(); print(n)"
    done = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000
    assert "ScriptRunContext" not in done.stderr


def test_shared_data_cannot_be_changed_by_a_viewer():
    with pytest.raises(ValueError, match="read-only"):
        data.data("digits").x_train[0] = np.float32(0)


def test_a_control_that_streamlit_binds_to_the_link_belongs_to_one_view_alone():
    """Two views with one key share its value; where one of them binds it, the other cannot even set it."""
    rows = re.compile(r'(?:state\.)?Control\(\s*"(?P<key>\w+)"(?P<rest>.*?)\)(?:,\n|\n)', re.DOTALL)
    bound: dict[str, set[str]] = {}
    keys: dict[str, set[str]] = {}
    for file in (ROOT / "app" / "views").glob("*.py"):
        for found in rows.finditer(file.read_text(encoding="utf-8")):
            keys.setdefault(found["key"], set()).add(file.stem)
            if "False" not in found["rest"]:
                bound.setdefault(found["key"], set()).add(file.stem)
    assert "clipping" in bound
    assert "clip" in keys
    assert {key: views for key, views in keys.items() if key in bound and len(views) > 1} == {}
