"""The Line view: pieces and sums against the forward pass, rungs of γ, the block of bytes, and absurd links."""

import gzip
import io
import itertools
import json
import re
from contextlib import redirect_stdout
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.compute import Unusable, data, line, line_block, python_lines, trained
from app.controls import Setup, read_gamma
from kwta.activation import winners
from kwta.networks import build, set_gamma
from kwta.regions.stages import Layer, Stages

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
DIGITS, MOONS, CONV = Setup(), Setup(data="moons@0.05", net="16,8", gamma=0.25), Setup(net="conv 2,4 / 12", gamma=0.25)
ALL = pytest.mark.parametrize("setup", [DIGITS, MOONS, CONV], ids=["digits", "moons", "conv"])


def untrained(setup: Setup, activation: str = "kwta") -> trained.Snapshot:
    return trained.snapshot(trained.which(setup, "untrained", activation))


def ladder(setup: Setup, start: str = "0", end: str = "3") -> line.Ladder:
    return line.ladder(untrained(setup), untrained(setup, "relu"), start, end)


def forward(setup: Setup, x: np.ndarray, gamma: float | None) -> np.ndarray:
    """f by the network itself, in float64."""
    which = trained.which(setup, "untrained", "relu" if gamma is None else "kwta")
    net = build(which.recipe.net, which.recipe.seed).double().eval()
    if gamma is not None:
        set_gamma(net, gamma)
    with torch.no_grad():
        return net(torch.tensor(x)).numpy()


# Rungs.


@given(st.lists(st.integers(1, 300), min_size=1, max_size=3))
@settings(max_examples=60)
def test_rungs_are_all_networks_that_the_hundredths_of_gamma_make(sizes):
    found = line.rungs(tuple(sizes))
    by_hand: dict[tuple[int, ...], list[float]] = {}
    for hundredths in range(1, 101):
        ks = tuple(int(Fraction(hundredths, 100) * n) for n in sizes)
        if min(ks) >= 1:
            by_hand.setdefault(ks, []).append(hundredths / 100)
    assert [(r.low, r.high, r.winners) for r in found] == [(g[0], g[-1], ks) for ks, g in by_hand.items()]
    assert all(r.winners == tuple(winners(r.low, n) for n in sizes) for r in found)
    for ks, gammas in by_hand.items():
        assert {found[line.rung_of(found, gamma)].winners for gamma in gammas} == {ks}


def test_up_to_a_hundred_units_every_k_is_a_rung():
    for n in (1, 7, 64, 100):
        assert [rung.winners for rung in line.rungs((n,))] == [(k,) for k in range(1, n + 1)]


def test_a_gamma_without_winners_is_refused():
    read = line.reader((64, 8), read_gamma)
    assert read("0.13") == 0.13
    with pytest.raises(ValueError, match=r"at least 0\.13 here.*got 0\.12"):
        read("0.12")


@given(st.integers(1, 90), st.integers(0, 89))
def test_the_order_of_work_starts_at_the_hand_and_leaves_nothing_out(n, rung):
    rung = min(rung, n - 1)
    order = line.nearest(n, rung)
    assert sorted(order) == list(range(-1, n))
    assert order[:2] == [rung, -1]
    away = [abs(i - rung) for i in order if i >= 0]
    assert away == sorted(away)


# The courses.


@ALL
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, None], ids=["fewest", "some", "all", "relu"])
def test_every_course_is_the_network_itself(setup, share):
    known, found = data.data(setup.data), ladder(setup)
    rung = -1 if share is None else round(share * (len(found.rungs) - 1))
    course = found.at(rung)
    t = np.random.default_rng(5).random(400)
    a, b = known.x_test[0].astype(np.float64), known.x_test[3].astype(np.float64)
    x = a + t.reshape(-1, *[1] * a.ndim) * (b - a)
    expected = forward(setup, x, None if share is None else found.rungs[rung].low)
    assert np.allclose(course.pieces.values(t), expected, rtol=1e-9, atol=1e-9)
    assert course is found.at(rung)
    assert sum(course.by_layer) == len(course.pieces) - 1


@ALL
def test_variation_splits_into_jumps_and_slopes_as_a_fine_walk_finds_it(setup):
    course = ladder(setup).at(2)
    edges, numbers = course.pieces.edges, course.numbers
    inner = np.concatenate([np.linspace(a, b, 4)[1:-1] for a, b in itertools.pairwise(edges)])
    just = 1e-9 * np.diff(edges).min()
    points = np.sort(np.concatenate([inner, edges[:1], edges[-1:], course.pieces.t - just, course.pieces.t + just]))
    walked = np.abs(np.diff(course.pieces.values(points), axis=0)).sum(axis=0)
    assert np.allclose(numbers.by_jumps[:-1] + numbers.by_slopes[:-1], walked, rtol=1e-6)
    for o in range(walked.size):
        sizes = np.abs(course.steps.jump[:, o])
        assert numbers.largest[o] == sizes.max()
        assert sizes[numbers.at[o]] == sizes.max()
    assert numbers.by_jumps[-1] == pytest.approx(course.steps.sizes().sum())


@ALL
def test_relu_has_no_jumps_and_one_rung_with_all_units_is_one_map(setup):
    found = ladder(setup)
    assert found.at(-1).numbers.by_jumps.tolist() == [0.0] * (data.data(setup.data).n_classes + 1)
    assert set(found.at(-1).numbers.at.tolist()) == {-1}
    whole = found.at(len(found.rungs) - 1)
    assert (len(whole.pieces), whole.n_merged) == (1, 1)


def test_neighbours_with_equal_maps_are_merged():
    # y = (t, 1 − t, 0.6) with one winner: unit 1 up to 0.4, unit 2 up to 0.6, then unit 0, the only one that f sees.
    hidden = Layer(np.array([[1.0], [-1.0], [0.0]]), np.array([0.0, 1.0, 0.6]), 1, "")
    course = line.course(Stages((hidden,), np.array([[1.0, 0.0, 0.0]]), np.zeros(1)), 0.34)
    assert course.pieces.t.tolist() == pytest.approx([0.4, 0.6])
    assert course.joined.tolist() == [True, False]
    assert (len(course.pieces), course.n_merged, course.by_layer) == (3, 2, [2])
    assert course.numbers.by_jumps.tolist() == pytest.approx([0.6, 0.6])
    assert course.numbers.by_slopes.tolist() == pytest.approx([0.4, 0.4])
    assert (course.numbers.largest.tolist(), course.numbers.at.tolist()) == (pytest.approx([0.6, 0.6]), [1, 1])


def test_a_segment_needs_two_ends():
    with pytest.raises(Unusable, match="same input, 5"):
        ladder(DIGITS, "5", "5")


def test_viewers_share_the_courses_of_a_segment():
    assert ladder(DIGITS) is ladder(DIGITS)
    assert ladder(DIGITS) is not ladder(DIGITS, "0", "5")


@ALL
def test_the_usual_ends_are_readable_and_differ(setup):
    start, end = line.ends(setup.data, *line.usual_ends(setup.data))
    assert not np.array_equal(start.x, end.x)
    assert start.label is None or start.label != end.label


def test_the_table_has_a_row_for_each_border_and_the_csv_reads_back():
    course = ladder(CONV).at(3)
    head, *rows = line.csv(course).splitlines()
    assert head.startswith("t,layer,out,in,y,swaps,‖jump‖,jump of f0,")
    assert len(rows) == len(course.pieces) - 1
    t, layer, out, into, *_ = rows[2].split(",")
    assert float(t) == course.pieces.t[2]
    assert (int(layer) - 1, int(out), int(into)) == (
        course.pieces.layer[2],
        course.pieces.leaves[2],
        course.pieces.enters[2],
    )


# The block of bytes, and the lines of Python.


def unpacked(block: bytes) -> tuple[dict, bytes]:
    raw = gzip.decompress(block)
    length = int.from_bytes(raw[:4], "little")
    return json.loads(raw[4 : 4 + length]), raw[4 + length :]


def packed(setup: Setup, start: str = "0", end: str = "3", **told) -> tuple[dict, bytes]:
    snapshot, twin = untrained(setup), untrained(setup, "relu")
    shown = {"from": start, "to": end, "g": setup.gamma}
    found = line.ladder(snapshot, twin, start, end)
    return unpacked(line_block.packed(snapshot, twin, found, shown, told))


@ALL
def test_a_block_holds_the_courses_to_the_byte(setup):
    header, body = packed(setup, moving=True, gallery=setup.data)
    found, known = ladder(setup), data.data(setup.data)
    assert [r["rung"] for r in header["rungs"]] == [line.rung_of(found.rungs, setup.gamma), -1]
    at = 2 * 4 * known.x_test[0].size
    for r in header["rungs"]:
        pieces, b, n = found.at(r["rung"]).pieces, r["n"] - 1, r["n"]
        assert np.array_equal(np.frombuffer(body, "<f8", b, at), pieces.t)
        at += 8 * b
        values = np.frombuffer(body, "<f4", 2 * n * r["outputs"], at).reshape(n, 2, -1)
        middle = (pieces.edges[1:] + pieces.edges[:-1]) / 2
        assert np.allclose(values.mean(axis=1), pieces.values(middle), rtol=1e-5, atol=1e-6)
        at += values.nbytes + 4 * b * r["outputs"] + 4 * b
        units = np.frombuffer(body, "<i4", 2 * b, at).reshape(b, 2)
        assert np.array_equal(units, np.stack([pieces.leaves, pieces.enters], axis=1))
        at += units.nbytes + 2 * b
        assert body[at : at + n * r["bytes"]] == pieces.patterns.tobytes()
        at += n * r["bytes"]
    assert at == len(body)


def test_asking_again_and_again_brings_every_rung_once_and_two_answers_differ():
    setup = replace(MOONS, seed=9)
    have: list[int] = []
    header, _ = packed(setup)
    assert "gallery" in header
    key, n = header["key"], len(header["ladder"])
    while header["rungs"]:
        have += [r["rung"] for r in header["rungs"]]
        header, _ = packed(setup, key=key, have=have, gallery=setup.data)
        assert "gallery" not in header
    assert sorted(have) == list(range(-1, n))
    other, _ = packed(setup, key="another segment", have=have)
    assert other["rungs"]
    assert other["moment"] != header["moment"]


@pytest.mark.parametrize("have", [None, 7, "-1", [[]], [{}, "0"]], ids=str)
def test_what_a_browser_says_it_has_may_be_nonsense(have):
    header, _ = packed(MOONS, key=packed(MOONS)[0]["key"], have=have)
    assert header["rungs"]


def printed(code: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), {})
    return out.getvalue()


@pytest.mark.parametrize(
    ("setup", "start", "end"),
    [
        (DIGITS, "0", "3"),
        (MOONS, "0.3,-0.2", "-1,0.5"),
        (CONV, "4", "7"),
        (DIGITS, "2", "d85D4b9B_q7-B7Z9eAoP9fwOG7P8NjH9_fmHQ-KDAwF3AAAA"),
    ],
    ids=["digits", "points", "conv", "drawing"],
)
def test_the_python_lines_run_and_print_the_numbers_of_the_picture(setup, start, end):
    found = ladder(setup, start, end)
    course = found.at(line.rung_of(found.rungs, 0.5))
    lines = printed(python_lines.along(untrained(setup).which, start, end, 0.5))
    assert f"{len(course.pieces)} pieces; borders by layer: {np.array(course.by_layer)}" in lines
    jumps, slopes = re.findall(r"by jumps (\S+) by slopes (\S+)", lines)[0]
    assert float(jumps) == pytest.approx(course.numbers.by_jumps[-1])
    assert float(slopes) == pytest.approx(course.numbers.by_slopes[-1])
    assert lines.count("t = ") == len(course.pieces) - 1


# The view.


def opened(**query) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in query.items():
        at.query_params[key] = str(value)
    at.switch_page("views/line.py")
    return at.run()


def walk(node):
    yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


def told(at: AppTest) -> dict:
    """The header of what the page handed to the picture."""
    protos = [e.proto for e in walk(at._tree) if getattr(e, "type", "") == "bidi_component"]
    block = next(proto.bytes for proto in protos if proto.WhichOneof("data") == "bytes")
    return unpacked(block)[0]


def test_a_link_reproduces_ends_gamma_output_and_twin():
    link = {"from": "12", "to": "7", "g": 0.44, "output": "all", "twin": "off", "weights": "untrained"}
    at = opened(**link)
    assert not at.exception
    assert not at.warning
    header = told(at)
    assert {key: header["state"][key] for key in link} == link
    assert header["ladder"][header["here"]][0] <= 0.44 <= header["ladder"][header["here"]][1]


@pytest.mark.parametrize("below", ["about", "borders", "python"])
def test_what_is_below_the_picture(below):
    at = opened(weights="untrained", line_below=below, data="moons")
    assert not at.exception
    assert {"about": at.markdown, "borders": at.dataframe, "python": at.code}[below]


@pytest.mark.parametrize(
    "link",
    [
        {"from": "-3"},
        {"to": "9" * 400},
        {"from": "1e999,nan", "data": "moons"},
        {"g": "0.01", "weights": "untrained"},
        {"g": "NaN"},
        {"output": "77"},
        {"twin": "<b>"},
        {"line_below": "x" * 5000},
        {"from": "3", "to": "3", "weights": "untrained"},
    ],
    ids=lambda link: str(link)[:30],
)
def test_an_absurd_link_gets_a_message_and_no_exception(link):
    at = opened(**link)
    assert not at.exception
    assert at.warning
    assert len(at.warning[0].value) < 400


def test_gamma_of_the_page_follows_the_shared_one():
    at = opened(weights="untrained", g=0.44, gamma=0.3)
    assert told(at)["state"]["g"] == 0.44
    at.slider(key="gamma").set_value(0.5).run()
    assert told(at)["state"]["g"] == 0.5


def test_new_data_bring_ends_of_their_own():
    at = opened(weights="untrained", data="moons", **{"from": "0.5,0.5"})
    assert told(at)["state"]["from"] == "0.5,0.5"
    at.selectbox(key="data").set_value("digits").run()
    assert not at.exception
    assert (told(at)["state"]["from"], told(at)["state"]["to"]) == line.usual_ends("digits")
