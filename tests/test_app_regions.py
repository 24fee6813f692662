"""The Regions view: planes, rungs of γ, the bytes of a picture, and every link."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import ladders
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from ladders import headed, sent, walk
from streamlit.testing.v1 import AppTest

from app.compute import (
    Unusable,
    aims,
    attack_specs,
    data,
    planes,
    region_answer,
    region_block,
    region_counts,
    region_table,
    regions,
    trained,
)
from app.compute.planes import Choice, Window
from app.compute.region_ladder import Counted
from app.controls import Setup
from app.plots import regions as plots
from kwta import slices
from kwta.networks import MLP, build
from kwta.regions import grid, plane
from kwta.regions.overlay import merged
from kwta.slices import convex

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120
SQUARE = (np.zeros(2), 1.0)


def opened(**link) -> AppTest:
    return ladders.opened("regions", **link)


def pictures(block: bytes) -> tuple[dict, dict[int, dict]]:
    return ladders.pictures(block, picture)


def picture(block: bytes) -> dict:
    """One picture's header, with its arrays read as the component reads them."""
    header, body = headed(gzip.decompress(block) if region_block.is_zipped(block) else block)
    n, v, outputs, bits = (header[key] for key in ("cells", "vertices", "outputs", "bits"))
    layout = {
        "points": ("<f4", (v, 2)),
        "maps": ("<f4", (n, outputs, 3)),
        "areas": ("<f4", (n,)),
        "sides": ("<u2", (n,)),
        "edges": (np.uint8, (v,)),
        "patterns": (np.uint8, (n, bits)),
    }
    at = 0
    for key, (kind, shape) in layout.items():
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        header[key] = np.frombuffer(body[at : at + size], kind).reshape(shape)
        at += size
    assert at == len(body)
    return header


@pytest.fixture(scope="module")
def net():
    return build(MLP((2, 12, 12, 3), gamma=0.25, init="he"), seed=1).eval()


@pytest.fixture(scope="module")
def cells(net):
    return plane.cells(net, slices.square(-1, 1, -1, 1))


# A picture's bytes.


def test_polygons_read_back_as_the_vertices_to_float32(cells):
    found = picture(region_block.of_cells(cells, 3, SQUARE, 0.0))
    assert found["cells"] == len(cells)
    assert found["points"].tolist() == cells.vertices.astype(np.float32).tolist()
    assert np.cumsum([0, *found["sides"]]).tolist() == cells.offsets.tolist()
    assert found["patterns"].tolist() == cells.bits.tolist()
    assert np.allclose(found["areas"], cells.areas, rtol=1e-6)
    assert (found["complete"], found["covered"]) == (True, pytest.approx(1))


def test_coordinates_of_a_small_window_keep_their_digits(net):
    view = slices.square(0.3, 0.3 + 2e-7, -0.1, -0.1 + 2e-7)
    centre, half = view.domain.mean(axis=0), 1e-7
    found = plane.cells(net, view)
    read = picture(region_block.of_cells(found, 1, (centre, half), 0.0))
    assert np.abs(read["points"]).max() == pytest.approx(1, rel=1e-6)
    assert np.abs(centre + half * read["points"].astype(float) - found.vertices).max() < 1e-13


def test_maps_in_the_squares_coordinates_are_the_networks_own(cells):
    square = (np.array([0.5, -0.25]), 0.125)
    maps = region_block.maps(cells, square)
    u = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    t = square[0] + square[1] * u
    own = np.einsum("nod,pd->npo", cells.weight, t) + cells.bias[:, None]
    assert np.allclose(np.einsum("nod,pd->npo", maps, np.c_[u, np.ones(20)]), own, atol=1e-12)


def test_every_border_is_drawn_from_one_side_only(cells):
    found = picture(region_block.of_cells(cells, 1, SQUARE, 0.0))
    ends = np.roll(cells.vertices, -1, axis=0)
    last = cells.offsets[1:] - 1
    ends[last] = cells.vertices[cells.offsets[:-1]]
    length = np.hypot(*(ends - cells.vertices).T)
    drawn = (found["edges"] > 0) & (found["edges"] < region_block.TWICE)
    hidden = found["edges"] >= region_block.TWICE
    assert length[drawn].sum() == pytest.approx(length[hidden].sum(), rel=1e-9)
    assert length[found["edges"] == 0].sum() == pytest.approx(8)  # the square's own boundary


def test_the_sampled_number_is_what_sampling_patterns_counts(net, cells):
    assert region_block.sampled(cells, 40) == grid.counts(net, cells.plane, 40, "cpu").n_patterns
    assert region_block.sampled(cells, 3) < len(cells)


def test_an_incomplete_picture_says_so(net):
    few = plane.cells(net, slices.square(-1, 1, -1, 1), max_regions=5)
    found = picture(region_block.of_cells(few, 1, SQUARE, 0.0))
    assert not found["complete"]
    assert 0 < found["covered"] < 1


# Rungs.


def test_equal_layers_have_a_rung_for_every_k():
    ladder = regions.rungs((64, 64))
    assert [rung.winners for rung in ladder[1:]] == [(k, k) for k in range(1, 65)]
    assert [rung.gamma for rung in ladder] == [None, *(Fraction(k, 64) for k in range(1, 65))]


@given(some.lists(some.integers(1, 300), min_size=1, max_size=3).map(tuple))
@settings(max_examples=60, deadline=None)
def test_rungs_ascend_without_repeating_winners(sizes: tuple[int, ...]):
    ladder = regions.rungs(sizes)[1:]
    winners = [rung.winners for rung in ladder]
    assert len(set(winners)) == len(winners) <= regions.MOST_RUNGS
    assert winners == sorted(winners)
    assert min(winners[0]) >= 1
    assert winners[-1] == sizes
    assert all(MLP((2, *sizes, 1), rung.gamma).winners == rung.winners for rung in ladder[:: len(ladder) // 7 + 1])


@pytest.mark.parametrize("gamma", [0.02, 0.2, 0.29, 0.5, 1.0])
def test_the_first_rung_has_the_winners_of_the_shared_gamma(gamma: float):
    ladder = regions.rungs((100, 50))
    assert ladder[regions.start(ladder, gamma, (100, 50))].winners == MLP((2, 100, 50, 1), gamma).winners


# Ladders.


def ladder_of(setup: Setup, **place) -> tuple[regions.Question, regions.Ladder, tuple]:
    known = data.data(setup.data)
    given = {"plane": planes.shapes(known)[0], "three": planes.usual_three(known), "pseed": 0, "clip": "free"}
    choice = planes.choice(setup.data, given | {"window": ""} | place)
    asked, kwta, relu = regions.question(setup, "he", choice)
    return asked, regions.ladder(asked, kwta, relu), (kwta, relu)


SMALL = Setup(data="moons@0.05", net="16,16", gamma=0.25, seed=3)


@pytest.mark.parametrize("rung", [0, 1, 5, 16])
def test_a_rung_holds_the_cells_of_the_network_with_that_gamma(rung: int):
    _, ladder, _ = ladder_of(SMALL)
    gamma = None if rung == 0 else Fraction(rung, 16)
    net = build(MLP((2, 16, 16, 2), gamma, init="he"), seed=3).eval()
    low, high = data.data(SMALL.data).box
    assert picture(ladder.block(rung))["cells"] == len(plane.cells(net, slices.square(low, high, low, high)))


def test_the_background_makes_all_rungs_the_nearest_first():
    _, ladder, _ = ladder_of(SMALL)
    assert ladder.nearest(5, {0, 1, 4, 5, 6, 9})[:4] == [5, 0, 4, 6]
    ladder.want(5)
    for _ in range(200):
        if len(ladder.blocks) == len(ladder.rungs):
            break
        ladder.want(5)
        ladder.wait(set(ladder.blocks), set(), 1.0)
    assert set(ladder.blocks) == set(range(17))
    assert all(picture(block)["cells"] == ladder.counts[rung][0] for rung, block in ladder.blocks.items())


def test_a_wide_network_gets_fewer_regions_and_says_so():
    assert regions.limit((64, 64)) == regions.LIMIT
    assert regions.limit((4096, 4096)) < 1000
    _, ladder, _ = ladder_of(SMALL)
    assert not ladder.cells(8, most=4).complete


def test_zooming_shows_the_cells_of_the_part_alone():
    asked, ladder, _ = ladder_of(SMALL, window="0.5,0.5,0.25")
    low, high = data.data(SMALL.data).box
    middle, half = (low + high) / 2, (high - low) / 2
    inside = slices.square(middle + 0.25 * half, middle + 0.75 * half, middle + 0.25 * half, middle + 0.75 * half)
    assert ladder.square[1] == pytest.approx(0.25 * half)
    assert ladder.view.bounds[0] == pytest.approx(inside.bounds[0])
    net = build(MLP((2, 16, 16, 2), Fraction(4, 16), init="he"), seed=3).eval()
    assert picture(ladder.block(4))["cells"] == len(plane.cells(net, inside))
    assert "Slice.from_json" in region_table.snippet(asked, ladder, 4)


def test_an_answer_brings_what_the_page_lacks():
    asked, ladder, snapshots = ladder_of(SMALL)
    state = {"rung": 4, "other": 1, "beside": "relu"}
    header, found = pictures(region_answer.packed(asked, ladder, snapshots, state, {}))
    assert set(found) == {4, 0}
    assert header["setting"]["points"] == region_answer.POINTS
    told = {"key": header["key"], "have": [4, 0], "setting": header["setting"]["name"], "poll": True}
    more, later = pictures(region_answer.packed(asked, ladder, snapshots, state, told))
    assert "setting" not in more
    assert more["setting_bytes"] == 0
    assert later
    assert not set(later) & {0, 4}


# Planes.


def test_a_window_is_moved_into_the_plane():
    assert planes.read_window("0.9,0,0.5") == "0.5,0,0.5"
    assert planes.window("") == Window()
    assert planes.read_window("3,3,9") == "0,0,1"
    for text in ("1,2", "a,b,c", "0,0,0", "nan,0,1", "0,0,-1", "inf,0,1"):
        with pytest.raises(ValueError, match="got"):
            planes.read_window(text)


def test_the_plane_passes_through_its_inputs():
    known = data.data("digits")
    found = planes.home(Choice("digits", "images", (5, 17, 30)))
    assert found.distance(known.x_test[[5, 17, 30]].reshape(3, -1).astype(float)).max() < 1e-12
    cut = planes.shown(Choice("digits", "images", (5, 17, 30), clip="box"))
    assert convex.measure(cut.domain) < convex.measure(found.domain)
    assert cut.corners.min() > -1e-9
    assert cut.corners.max() < 1 + 1e-9


def test_a_plane_that_cannot_be_had_is_a_message():
    with pytest.raises(Unusable, match="Choose another"):
        planes.home(Choice("digits", "images", (5, 5, 5)))
    with pytest.raises(Unusable):
        planes.home(Choice("digits", "images", (0, 1, 10**6)))


# Planes that a network points out.

DIGITS = Setup(data="digits", net="16,16", gamma=0.25, seed=3)


def pointed_out(shape: str, three: str = "5,17,30", **place) -> tuple[Choice, torch.nn.Module]:
    asked, ladder, snapshots = ladder_of(DIGITS, plane=shape, three=three, **place)
    assert ladder.home is asked.choice.aim.home
    return asked.choice, snapshots[0].net


def test_a_plane_along_the_gradient_starts_along_the_gradient_of_the_network_shown():
    choice, net = pointed_out("gradient", pseed=4)
    known, home = data.data("digits"), planes.home(choice)
    x = torch.tensor(known.x_test[5:6], requires_grad=True)
    torch.nn.functional.cross_entropy(net(x), torch.tensor([int(known.labels_test[5])])).backward()
    gradient = x.grad.numpy().ravel()
    assert home.directions[0] @ gradient / np.linalg.norm(gradient) == pytest.approx(1, abs=1e-6)
    assert home.directions @ home.directions.T == pytest.approx(np.eye(2), abs=1e-12)
    assert home.points(np.zeros((1, 2)))[0] == pytest.approx(known.x_test[5].ravel())
    assert [mark.text for mark in planes.marks(choice)] == [f"{known.labels_test[5]} · №5"]
    other, _ = pointed_out("gradient", pseed=5)
    assert planes.home(other).directions[0] == pytest.approx(home.directions[0], abs=1e-12)
    assert abs(planes.home(other).directions[1] @ home.directions[1]) < 0.9


def test_a_plane_through_an_attack_holds_the_input_the_attacks_end_and_another_input():
    choice, net = pointed_out("attack")
    known, home = data.data("digits"), planes.home(choice)
    x, end, other = (mark.x for mark in planes.marks(choice))
    assert x == pytest.approx(known.x_test[5].ravel())
    assert other == pytest.approx(known.x_test[17].ravel())
    assert home.distance(np.stack([x, end, other])).max() < 1e-9
    eps = attack_specs.FIRST_EPS * attack_specs.side(known)
    assert 0.3 * eps < np.abs(end - x).max() <= eps + 1e-6
    assert known.box[0] <= end.min() <= end.max() <= known.box[1]
    label = torch.tensor([int(known.labels_test[5])])
    both = torch.from_numpy(np.stack([x, end]).astype(np.float32)).reshape(2, *known.shape)
    before, after = torch.nn.functional.cross_entropy(net(both), label.repeat(2), reduction="none").tolist()
    assert after > before
    assert planes.marks(choice)[1].label == int(net(both)[1].argmax())


@pytest.mark.parametrize("shape", planes.AIMED)
def test_the_plane_follows_the_network_and_its_name_says_so(shape: str):
    choice, _ = pointed_out(shape)
    asked, _, _ = ladder_of(replace(DIGITS, seed=4), plane=shape, three="5,17,30")
    assert region_answer.setting_name(choice) != region_answer.setting_name(asked.choice)
    assert np.abs(planes.home(choice).directions - planes.home(asked.choice).directions).max() > 0.01
    again, _ = pointed_out(shape, window="0.5,0.5,0.25")
    assert planes.home(again) is planes.home(choice)
    assert planes.shown(again).bounds[0].tolist() != planes.shown(choice).bounds[0].tolist()


def test_an_attack_that_cannot_move_is_a_message(monkeypatch):
    monkeypatch.setattr(aims, "FIRST_STEP", 1e-12)
    choice = Choice("digits", "attack", (7, 8, 9))
    snapshot = trained.snapshot(trained.which(DIGITS, "untrained"))
    with pytest.raises(Unusable, match="Choose another"):
        aims.aimed(choice, snapshot)
    with pytest.raises(Unusable, match="no network"):
        planes.home(choice)


# Table, files, Python.


def test_the_table_has_the_largest_regions_first_and_true_centres(cells):
    table = region_table.table(cells)
    assert table["area"].tolist() == sorted(cells.areas, reverse=True)[: region_table.ROWS]
    centres = np.stack([table["t₁"], table["t₂"]], axis=1)
    for region, centre in zip(table["region"][:20], centres, strict=False):
        assert convex.contains(cells.polygon(int(region)), centre[None]).all()
    total = (cells.areas[:, None] * region_table.centroids(cells)).sum(axis=0)
    assert total == pytest.approx([0, 0], abs=1e-9)  # together they are the square, whose centre is 0


def test_the_files_hold_every_region(cells):
    assert len(region_table.csv(cells).splitlines()) == len(cells) + 1
    read = json.loads(region_table.as_json(cells))
    assert len(read["regions"]) == len(cells)
    assert np.concatenate([r["vertices"] for r in read["regions"]]).tolist() == cells.vertices.tolist()
    assert [len(w) for w in read["regions"][0]["winners"]] == [3, 3]


@pytest.mark.parametrize(
    ("setup", "rung", "place"),
    [
        (SMALL, 4, {}),
        (SMALL, 0, {"window": "0.5,0.5,0.25"}),
        (DIGITS, 4, {"plane": "gradient"}),
        (DIGITS, 4, {"plane": "attack", "clip": "box"}),
    ],
)
def test_the_python_lines_print_the_same_numbers(setup: Setup, rung: int, place: dict, capsys):
    asked, ladder, _ = ladder_of(setup, **place)
    exec(region_table.snippet(asked, ladder, rung), {})
    assert capsys.readouterr().out.startswith(f"{picture(ladder.block(rung))['cells']} regions,")


@pytest.mark.slow
def test_the_python_lines_run_as_they_stand():
    asked, ladder, _ = ladder_of(SMALL)
    lines = region_table.snippet(asked, ladder, 4)
    result = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{picture(ladder.block(4))['cells']} regions,")


# The page.


@pytest.mark.parametrize(
    "link",
    [
        {"data": "moons"},
        {"data": "digits", "colour": "class", "beside": "gamma", "other": 7},
        {"data": "digits", "plane": "random", "pseed": 5, "beside": "alone"},
        {"data": "digits", "clip": "box", "three": "4,9,20"},
        {"data": "digits", "plane": "gradient", "three": "4,9,20", "pseed": 2, "regions_below": "python"},
        {"data": "digits", "plane": "attack", "start": "trained"},
        {"data": "moons", "window": "0.2,0.1,0.05", "regions_below": "table", "rung": 9},
        {"data": "digits", "net": "conv 2 / 8", "regions_below": "python"},
        {"data": "moons", "net": "8,12,5"},
    ],
)
def test_a_link_opens_the_picture_it_names(link: dict):
    at = opened(**link)
    assert not at.exception
    assert not at.warning
    header, found = pictures(sent(at))
    state = header["state"]
    assert {key: str(state[key]) for key in link if key in state} == {k: str(v) for k, v in link.items() if k in state}
    assert found[state["rung"]]["cells"] > 0
    assert (0 in found) == (state["beside"] == "relu")


def test_the_picture_starts_at_the_shared_gamma():
    header, found = pictures(sent(opened(data="moons", net="16,16", gamma=0.5, seed=3)))
    assert header["state"]["rung"] == 8
    net = build(MLP((2, 16, 16, 2), 0.5, init="he"), seed=3).eval()
    low, high = data.data("moons@0.05").box
    assert found[8]["cells"] == len(plane.cells(net, slices.square(low, high, low, high)))


@pytest.mark.parametrize(
    "link",
    [
        {"rung": "-3"},
        {"rung": "1e9"},
        {"window": "x"},
        {"three": "1,1,1"},
        {"three": "0,1,99999999"},
        {"colour": "red"},
        {"start": "<b>"},
        {"plane": "box"},
        {"logit": "10"},
        {"beside": "", "clip": "?"},
    ],
)
def test_an_absurd_link_is_told_and_the_picture_still_drawn(link: dict):
    at = opened(**link)
    assert not at.exception
    assert len(at.warning) == 1
    assert pictures(sent(at))[1]


def test_a_network_without_regions_here_is_a_message(monkeypatch):
    def refuse(*_):
        raise ValueError("pool1 is a MaxPool2d, which is not supported")

    monkeypatch.setattr(regions, "stages", refuse)
    at = opened(data="moons", seed=77)
    assert not at.exception
    assert "MaxPool2d" in at.warning[0].value
    assert not [e for e in walk(at._tree) if getattr(e, "type", "") == "exception"]


def test_a_layer_too_wide_is_a_message():
    at = opened(data="mnist", net="conv 4 / 32") if data.at_hand("mnist") else opened(data="moons", net="2048")
    assert not at.exception
    assert "1,024 units" in at.warning[0].value


def test_new_data_let_go_of_what_they_have_not():
    at = opened(data="digits", three="4,9,20", window="0.2,0.1,0.05")
    at.selectbox(key="data").set_value("moons").run()
    assert not at.exception
    state = pictures(sent(at))[0]["state"]
    assert (state["plane"], state["window"]) == ("box", "")


# Counts of pieces and of what a grid meets, which follow the pictures; counts against width and depth.


def test_the_background_counts_pieces_and_what_a_grid_meets():
    asked, ladder, snapshots = ladder_of(Setup(data="moons@0.05", net="12", gamma=0.25, seed=5))
    for _ in range(300):
        ladder.want(3)
        if ladder.is_whole:
            break
        ladder.wait(set(range(13)), set(), 0.1)
    for rung in (0, 3, 12):
        cells = ladder.cells(rung)
        assert ladder.more[rung] == Counted(merged(cells).max() + 1, region_block.sampled(cells))
    header, _ = pictures(
        region_answer.packed(asked, ladder, snapshots, {"rung": 3, "other": 1, "beside": "relu"}, {"poll": True})
    )
    assert header["whole"]
    assert [rung for rung, *_ in header["more"]] == list(range(13))


def test_a_picture_that_was_waited_for_comes_as_it_is_and_is_zipped_later():
    _, ladder, _ = ladder_of(Setup(data="moons@0.05", net="10", gamma=0.3, seed=6))
    block = ladder.block(2)
    assert not region_block.is_zipped(block)
    assert gzip.decompress(region_block.zipped(block)) == block


@pytest.fixture(scope="module")
def counted():
    with pytest.MonkeyPatch.context() as patch:
        yield small_counts(patch)


def small_counts(patch: pytest.MonkeyPatch) -> region_counts.Job:
    """The counts of few and small networks."""
    patch.setattr(region_counts, "WIDTHS", (4, 8))
    patch.setattr(region_counts, "DEPTHS", (1, 2))
    job = region_counts.Job(region_counts.asked(Fraction(1, 5), 3, "he", planes.Choice("moons@0.05", "box")))
    for _ in range(300):
        job.want()
        job.wait(0.2)
        if job.is_done:
            break
    return job


def test_counts_over_width_and_depth_are_those_of_the_library(counted):
    rows = {(row.depth, row.width, row.k): row for row in counted.rows}
    # γ = 1/5 leaves no winner of 4 units, and one of 8.
    assert set(rows) == {(1, 4, None), (2, 4, None), (1, 8, 1), (1, 8, None), (2, 8, 1), (2, 8, None)}
    low, high = data.data("moons@0.05").box
    where = slices.square(low, high, low, high)
    for (depth, width, k), row in rows.items():
        net = build(MLP((2, *[width] * depth, 2), None if k is None else Fraction(1, 5), init="he"), seed=3).eval()
        assert row.regions == len(plane.cells(net, where))
        assert row.sampled == grid.counts(net, where, region_block.SAMPLED, "cpu").n_patterns
        assert row.complete


def test_counts_on_a_plane_that_a_network_points_out_name_the_plane():
    asked, _, _ = ladder_of(DIGITS, plane="gradient")
    job = region_counts.Job(region_counts.asked(Fraction(1, 5), 3, "he", asked.choice))
    told = json.loads(region_counts.as_json(job))
    assert told["asked"]["choice"]["shape"] == "gradient"
    assert (
        slices.Slice.from_json(json.dumps(told["plane"])).directions.tolist()
        == asked.choice.aim.home.directions.tolist()
    )


def test_files_and_words_tell_what_was_counted(counted):
    lines = region_counts.csv(counted.rows).splitlines()
    assert len(lines) == 1 + len(counted.rows)
    assert lines[0].startswith("depth,width,k,regions,complete,sampled")
    assert len(json.loads(region_counts.as_json(counted))["rows"]) == len(counted.rows)
    said = plots.in_words(counted.rows, 256)
    fewer = sum(
        a.regions < b.regions
        for a in counted.rows
        for b in counted.rows
        if a.k is not None and b.k is None and (a.depth, a.width) == (b.depth, b.width)
    )
    assert f"in {fewer} of 2 pairs" in said


@pytest.mark.parametrize("over", ["width", "depth"])
def test_the_figures_have_exact_and_sampled_counts_of_both_networks(counted, over):
    figures = plots.counts(counted.rows, 0.2, over)
    for figure, relu in zip(figures, (False, True), strict=True):
        traces = figure.to_dict()["data"]
        drawn = sorted(int(y) for trace in traces for y in trace["y"])
        rows = [r for r in counted.rows if (r.k is None) == relu]
        assert drawn == sorted([r.regions for r in rows] + [r.sampled for r in rows])
        assert {trace["line"].get("dash") for trace in traces} == {None, "dot"}
        low, high = 10 ** np.array(figure.layout.yaxis.range)
        assert low < drawn[0] <= drawn[-1] < high
    assert figures[0].layout.yaxis.range == figures[1].layout.yaxis.range


def test_the_python_lines_print_the_same_counts(counted, monkeypatch, capsys):
    monkeypatch.setattr(region_counts, "WIDTHS", (4, 8))
    monkeypatch.setattr(region_counts, "DEPTHS", (1, 2))
    exec(region_counts.snippet(counted.asked), {})
    printed = capsys.readouterr().out
    assert "1 8 k-WTA" in printed
    for row in counted.rows:
        phi = "ReLU" if row.k is None else "k-WTA"
        assert f"{row.depth} {row.width} {phi} {row.regions} regions; a grid meets {row.sampled}\n" in printed


def test_the_view_shows_the_counts_as_they_are_made():
    at = opened(data="moons", net="16,16", regions_below="counts", over="depth")
    assert not at.exception
    assert not at.warning
    assert any("at width and depth" in m.value or "grows with width and depth" in m.value for m in at.markdown)
    assert [
        e for e in walk(at._tree) if getattr(e, "type", "") == "plotly_chart" or "progress" in repr(type(e)).lower()
    ]
