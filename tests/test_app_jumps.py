"""The Jumps view: networks along γ, the bytes of a picture, figures, files, Python lines, cliffs and every link."""

import gzip
import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import ladders
import numpy as np
import pytest
from ladders import headed, sent
from streamlit.testing.v1 import AppTest

from app.compute import (
    data,
    jump_answer,
    jump_block,
    jump_cliffs,
    jump_snippet,
    jump_table,
    jump_training,
    jumps,
    planes,
)
from app.compute.jump_block import Measure
from app.compute.jump_ladder import Ladder
from app.controls import Setup
from app.plots import jumps as plots
from kwta import jumps as library
from kwta import slices
from kwta.networks import MLP, build
from kwta.regions import plane
from kwta.regions.stages import stages

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120
SQUARE = (np.zeros(2), 1.0)
L2 = Measure()
SMALL = Setup(data="moons@0.05", net="16,16", gamma=0.25, seed=3)


def opened(**link) -> AppTest:
    return ladders.opened("jumps", **link)


def pictures(block: bytes) -> tuple[dict, dict[int, dict]]:
    return ladders.pictures(block, picture)


def picture(block: bytes) -> dict:
    """One picture's header, with its arrays read as the component reads them; ends in u."""
    header, body = headed(gzip.decompress(block))
    n = header["borders"]
    layout = {
        "ends": ("<u2", (n, 2, 2)),
        "sizes": ("<f4", (n, 3)),
        "values": ("<f4", (n, 2)),
        "leaves": ("<u2", (n,)),
        "enters": ("<u2", (n,)),
        "layers": (np.uint8, (n,)),
    }
    at = 0
    for key, (kind, shape) in layout.items():
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        header[key] = np.frombuffer(body[at : at + size], kind).reshape(shape)
        at += size
    assert at == len(body)
    header["ends"] = 2 * header["ends"].astype(float) / 65535 - 1
    return header


def traced(gamma: float | None, measure: Measure = L2) -> jump_block.Traced:
    where = slices.square(-1, 1, -1, 1)
    steps = stages(build(MLP((2, 12, 12, 3), gamma, init="he"), seed=1).eval(), where)
    return jump_block.traced(library.borders(plane.of_stages(steps, where)), steps, measure)


def asked_of(setup: Setup, mode: str = "same", measure: Measure = L2, **place) -> tuple[jumps.Question, Ladder]:
    known = data.data(setup.data)
    given = {"plane": planes.shapes(known)[0], "three": planes.usual_three(known), "pseed": 0, "clip": "free"}
    choice = planes.choice(setup.data, given | {"window": ""} | place)
    asked, snapshot = jumps.question(setup, mode, "he", choice, measure)
    return asked, jumps.ladder(asked, snapshot)


def made(ladder: Ladder, n: int) -> None:
    """Ask as a page does, until n rungs are there."""
    for _ in range(400):
        if len(ladder.blocks) >= n or ladder.failed:
            return
        ladder.want(1)
        ladder.wait(set(ladder.blocks), 0.5)
    raise AssertionError(f"only {len(ladder.blocks)} of {n} rungs")


# A picture's bytes.


def test_borders_read_back_with_their_jumps_and_values():
    found = traced(0.25)
    read = picture(jump_block.packed(found, jump_block.figures(found), 3, SQUARE))
    turned = jump_block.first_is_right(found.borders)
    ends = np.where(turned[:, None, None], found.borders.ends[:, ::-1], found.borders.ends)
    assert np.abs(read["ends"] - ends).max() < 2 / 65535
    assert read["leaves"].tolist() == found.borders.leaves.tolist()
    assert read["layers"].tolist() == found.borders.layer.tolist()
    sizes = np.linalg.norm(found.borders.jumps, axis=2)
    np.testing.assert_allclose(read["sizes"][:, 0], np.where(turned, sizes[:, 1], sizes[:, 0]), rtol=1e-6)
    np.testing.assert_allclose(read["values"].mean(axis=1), found.values.mean(axis=1), rtol=1e-5, atol=1e-7)


def test_the_first_cell_lies_to_the_left_of_every_border():
    found = traced(0.25)
    read = picture(jump_block.packed(found, jump_block.figures(found), 3, SQUARE))
    for ends, cell in zip(read["ends"], found.borders.cells[:, 0], strict=True):
        (dx, dy), (ex, ey) = ends[1] - ends[0], found.borders.of.polygon(int(cell)).mean(axis=0) - ends[0]
        assert dx * ey - dy * ex > -1e-4


def test_the_square_of_the_size_is_the_parabola_through_three_of_them():
    borders = traced(0.25).borders  # what the component draws between the ends
    a, m, b = (traced(0.25).sizes ** 2).T
    for s in (0.2, 0.9):
        jump = (1 - s) * borders.jumps[:, 0] + s * borders.jumps[:, 1]
        parabola = a + s * (-3 * a + 4 * m - b) + s * s * (2 * a - 4 * m + 2 * b)
        np.testing.assert_allclose(parabola, (jump**2).sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("measure", [Measure(), Measure("l1"), Measure("linf"), Measure(logit=2)])
def test_figures_are_those_of_the_library(measure: Measure):
    found = traced(0.25, measure)
    row = jump_block.figures(found)
    summary = found.borders.summary(measure.norm, measure.logit)
    assert row.size == tuple(summary.quantiles)
    assert (row.borders, row.cells, row.is_all) == (len(found.borders), len(found.borders.of), True)
    assert row.spread == library.spread(found.borders.of, measure.norm, measure.logit)
    middles = found.values.mean(axis=1)
    value = library.weighted_quantiles(middles, found.borders.lengths, np.array(library.QUANTILES))
    level = library.weighted_quantiles(np.abs(middles), found.borders.lengths, np.array(library.QUANTILES))
    assert (row.value, row.level) == (tuple(value), tuple(level))
    assert 0 <= (row.negative or 0) <= 1


def test_relu_has_no_jump_and_no_value():
    found = traced(None)
    row = jump_block.figures(found)
    read = picture(jump_block.packed(found, row, 0, SQUARE))
    assert row.continuous == 1
    assert row.largest == 0
    assert row.value == (None,) * 5
    assert (read["sizes"] == 0).all()
    assert ((read["leaves"] == 65535) ^ (read["enters"] == 65535)).all()


# Along γ.


def test_the_weights_stay_while_gamma_is_varied():
    _, ladder = asked_of(SMALL)
    for rung in (0, 1, 4, 16):
        gamma = None if rung == 0 else Fraction(rung, 16)
        low, high = data.data(SMALL.data).box
        where = slices.square(low, high, low, high)
        own = library.borders(plane.cells(build(MLP((2, 16, 16, 2), gamma, init="he"), seed=3).eval(), where))
        block = ladder.block(rung)
        assert block
        assert picture(block)["borders"] == len(own)
        assert ladder.figures[rung]["largest"] == (own.summary().largest if len(own) else None)


def test_all_rungs_are_made_in_the_background_the_nearest_first():
    _, ladder = asked_of(SMALL)
    assert ladder.nearest(5, {0, 1, 4, 5, 6, 9}) == [5, 4, 6, 1, 9, 0]
    made(ladder, 17)
    assert ladder.is_whole
    assert set(ladder.figures) == set(range(17))


def test_the_jump_falls_with_the_value_and_rises_with_negative_winners():
    setup = Setup(data="moons@0.05", net="32,32", gamma=0.25, seed=0)
    _, ladder = asked_of(setup)
    made(ladder, 33)
    median = {k: ladder.figures[k]["size"][2] for k in range(1, 32)}
    level = {k: ladder.figures[k]["level"][2] for k in range(1, 32)}
    least = min(median, key=median.__getitem__)
    assert 10 <= least <= 22
    assert median[3] > 5 * median[least] < median[29]
    assert level[3] > 5 * level[least] < level[29]
    assert ladder.figures[3]["negative"] == 0
    assert ladder.figures[29]["negative"] == 1


def test_each_gamma_has_a_network_of_its_own_trained_for_it(monkeypatch):
    monkeypatch.setattr(jumps, "GAMMAS", (Fraction(1, 4), Fraction(1, 2)))
    setup = Setup(data="moons@0.05", net="8,8", gamma=0.5, seed=1)
    asked, ladder = asked_of(setup, "each")
    assert [which.recipe.net.gamma for which in asked.nets] == [None, 0.25, 0.5]
    assert [rung.winners for rung in ladder.rungs] == [(0, 0), (2, 2), (4, 4)]
    assert jumps.start(asked, ladder, 0.45) == 2
    assert not jumps.progress(asked, ladder, None).done
    made(ladder, 3)
    progress = jumps.progress(asked, ladder, None)
    assert (progress.done, progress.share) == (True, 1.0)
    assert ladder.is_whole
    net = jump_training.course(asked.nets[2].recipe).net
    assert net is not None
    low, high = data.data(setup.data).box
    own = plane.cells(net, slices.square(low, high, low, high))
    assert ladder.figures[2]["cells"] == len(own)
    first = build(asked.nets[2].recipe.net, 1)
    assert any((a != b).any() for a, b in zip(net.parameters(), first.parameters(), strict=True))  # it has learned


def test_a_training_that_fails_is_told_and_the_others_go_on(monkeypatch):
    def diverging(*_args, **_options):
        raise ValueError("the loss is NaN")

    monkeypatch.setattr(jumps, "GAMMAS", (Fraction(1, 2),))
    monkeypatch.setattr(jump_training, "train", diverging)
    asked, ladder = asked_of(Setup(data="moons@0.05", net="8,8", gamma=0.5, seed=99), "each")
    for rung in (0, 1):
        assert ladder.block(rung) is None
    assert "the loss is NaN" in ladder.failed[1]
    assert ladder.is_whole
    assert jumps.progress(asked, ladder, None).done


def test_an_answer_brings_what_the_page_lacks():
    asked, ladder = asked_of(SMALL)
    state = {"rung": 4, "phi": "kwta"}
    snapshot = jumps.question(SMALL, "same", "he", asked.choice, asked.measure)[1]
    header, found = pictures(jump_answer.packed(asked, ladder, snapshot, state, {}))
    assert set(found) == {4}
    assert dict(header["figures"])[4]["borders"] == found[4]["borders"]
    told = {"key": header["key"], "have": [4], "setting": header["setting"]["name"], "poll": 0.5}
    more, later = pictures(jump_answer.packed(asked, ladder, snapshot, state, told))
    assert "setting" not in more
    assert later
    assert 4 not in later


# Table, files, Python, cliffs.


def test_the_table_has_the_largest_jumps_first_and_the_files_every_border():
    found = traced(0.25)
    table = jump_table.table(found)
    largest = np.maximum(table["|jump| at A"], table["|jump| at B"])
    assert (np.diff(largest) <= 0).all()
    lines = jump_table.csv(found).splitlines()
    assert len(lines) == len(found.borders) + 1
    first = dict(zip(lines[0].split(","), map(float, lines[1].split(",")), strict=True))
    assert max(first["jump_a"], first["jump_b"]) == found.sizes.max()
    read = json.loads(jump_table.as_json(found))
    assert np.array([row["jumps"] for row in read["borders"]]).tolist() == found.borders.jumps.tolist()


def test_the_curves_file_has_a_line_for_every_rung_that_is_there():
    _, ladder = asked_of(SMALL)
    made(ladder, 17)
    lines = jump_table.curves(ladder).splitlines()
    assert len(lines) == 18
    row = dict(zip(lines[0].split(","), lines[5].split(","), strict=True))
    assert float(row["gamma"]) == 0.25
    assert row["winners"] == "4 4"
    assert float(row["jump_q50"]) == ladder.figures[4]["size"][2]
    assert lines[1].startswith(",0 0,")  # ReLU has no γ


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rung", "measure", "place"),
    [(4, Measure(), {}), (0, Measure("linf"), {}), (6, Measure(logit=1), {"window": "0.5,0.5,0.25"})],
)
def test_the_python_lines_print_the_same_numbers(rung: int, measure: Measure, place: dict):
    asked, ladder = asked_of(SMALL, measure=measure, **place)
    ladder.block(rung)
    row = ladder.figures[rung]
    lines = jump_snippet.snippet(asked, ladder, rung)
    result = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, result.stderr
    assert f"{row['cells']} regions, {row['borders']} borders" in result.stdout
    assert f"spread of f: {row['spread']!r}" in result.stdout


def test_the_python_lines_of_a_trained_network_compile_and_train_it():
    asked, ladder = asked_of(SMALL, "each")
    lines = jump_snippet.snippet(asked, ladder, 2)
    compile(lines, "snippet", "exec")
    assert "train(net, data" in lines
    assert "gamma=0.2" in lines


def test_walls_stand_where_the_two_sides_differ_and_cross_at_the_zero_of_the_jump():
    found = traced(0.5)
    borders = found.borders
    order = np.arange(len(borders))
    corners, faces, size = jump_cliffs.raised(borders, order, 1)
    corners = corners.reshape(-1, 5, 3)
    jump = borders.jumps[:, :, 1]
    np.testing.assert_allclose(corners[:, 3, 2] - corners[:, 0, 2], jump[:, 0], atol=1e-9)
    np.testing.assert_allclose(corners[:, 2, 2] - corners[:, 1, 2], jump[:, 1], atol=1e-9)
    crosses = jump[:, 0] * jump[:, 1] < 0
    assert crosses.any()
    first, second = (
        np.einsum("nd,nd->n", borders.of.weight[borders.cells[:, side], 1], corners[:, 4, :2])
        + borders.of.bias[borders.cells[:, side], 1]
        for side in (0, 1)
    )
    np.testing.assert_allclose(first[crosses], second[crosses], atol=1e-9)
    np.testing.assert_allclose(corners[crosses, 4, 2], first[crosses], atol=1e-9)
    assert (size >= 0).all()
    assert len(faces) == 2 * len(borders)


def test_the_surface_covers_the_plane_with_the_values_of_f():
    asked, ladder = asked_of(SMALL)
    found = jump_cliffs.cliffs(asked, ladder, 4, 1)
    assert found
    a, b, c = (found.corners[found.surface[:, i], :2] for i in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    low, high = data.data(SMALL.data).box
    assert areas.min() >= -1e-12
    assert areas.sum() == pytest.approx((high - low) ** 2)
    assert len(list(plots.cliffs(found).select_traces())) == 2
    assert "highest is" in plots.in_words(found)
    flat = jump_cliffs.cliffs(asked, ladder, 0, 1)
    assert flat
    assert len(list(plots.cliffs(flat).select_traces())) == 1
    assert "continuous" in plots.in_words(flat)


@pytest.mark.parametrize("is_dark", [False, True])
def test_high_walls_stand_out_from_the_page(is_dark: bool):
    lightness = [sum(int(c) for c in re.findall(r"\d+", colour)[:3]) for _, colour in plots.scale(is_dark)]
    assert (np.diff(lightness) > 0).all() if is_dark else (np.diff(lightness) < 0).all()


# The page.


@pytest.mark.parametrize(
    "link",
    [
        {"data": "moons"},
        {"data": "digits", "size": "logit", "logit": 3, "relative": 1},
        {"data": "digits", "plane": "random", "pseed": 5, "phi": "relu"},
        {"data": "moons", "window": "0.2,0.1,0.05", "jumps_below": "table", "rung": 9},
        {"data": "moons", "net": "8,12,5", "jumps_below": "cliffs"},
        {"data": "digits", "net": "conv 2 / 8", "jumps_below": "python", "size": "l1"},
    ],
)
def test_a_link_opens_the_picture_it_names(link: dict):
    at = opened(**link)
    assert not at.exception
    assert not at.warning
    header, found = pictures(sent(at))
    state = header["state"]
    assert {key: str(state[key]) for key in link if key in state} == {k: str(v) for k, v in link.items() if k in state}
    assert found[0 if state["phi"] == "relu" else state["rung"]]["borders"] > 0


def test_networks_trained_at_each_gamma_begin_with_the_wanted_one():
    at = opened(data="moons", net="8,8", nets="each", each=3, seed=5)
    assert not at.exception
    header, _ = pictures(sent(at))
    assert header["each"]
    assert header["state"]["rung"] == 3
    assert "0 of" in header["training"]["words"]


@pytest.mark.parametrize(
    "link", [{"rung": "-3"}, {"each": "99"}, {"nets": "all"}, {"size": "l3"}, {"relative": "2"}, {"window": "x"}]
)
def test_an_absurd_link_is_told_and_the_picture_still_drawn(link: dict):
    at = opened(data="moons", net="8,8", **link)
    assert not at.exception
    assert len(at.warning) == 1
    assert pictures(sent(at))[1]


def test_new_data_let_go_of_what_they_have_not():
    at = opened(data="digits", three="4,9,20", window="0.2,0.1,0.05", logit=9)
    at.selectbox(key="data").set_value("moons").run()
    assert not at.exception
    state = pictures(sent(at))[0]["state"]
    assert (state["plane"], state["window"], state["logit"]) == ("box", "", 0)
