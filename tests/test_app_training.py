"""Training runs behind the Train view: made lazily, shared, cancelled, and packed without loss."""

import gc
import gzip
import json
import time

import numpy as np
import pytest
import torch

from app.compute import Unusable, networks, packing, recipes, training
from app.compute.frames import FAINTEST, Framer, grid, samples
from app.compute.runs import FRAMES, Recipe, Run, end_all, frame_steps
from app.controls import Setup
from kwta.datasets import Digits, Points, load
from kwta.networks import CNN, MLP, activations, build, from_bytes
from kwta.patterns import patterns
from kwta.training import ANNEALED, Annealing, Epoch, Step, Training, train


@pytest.fixture(scope="module")
def moons():
    return load(Points("moons", size=300, noise=0.1, seed=0))


@pytest.fixture(scope="module")
def digits():
    return load(Digits())


@pytest.fixture(autouse=True, scope="module")
def _no_run_outlives_the_tests():
    yield
    training.run.clear()  # cancels them
    end_all()


def recipe(gamma=0.25, **training):
    return Recipe("moons", MLP((2, 16, 16, 2), gamma), 0, Training(**{"epochs": 6, "batch": 32, **training}), "cpu")


def finished(run: Run) -> Run:
    run.want(10**6)
    run.wait(10**6, 30)
    assert run.done
    return run


def test_frames_crowd_towards_the_start_and_include_both_ends():
    steps = frame_steps(5000)
    gaps = np.diff(steps)
    assert steps[0] == 0
    assert steps[-1] == 5000
    assert len(steps) <= FRAMES + 1
    assert gaps[0] < gaps[-1]


def test_a_run_goes_no_further_than_somebody_asked(moons):
    run = Run(recipe(), moons)
    time.sleep(0.1)
    assert run.frames == []
    run.want(3)
    run.wait(3, 10)
    time.sleep(0.2)
    assert len(run.frames) == 3
    assert not run.done
    run.cancel()
    assert run.done


def test_a_run_takes_every_record_once_and_ends_like_plain_training(moons):
    run = finished(Run(recipe(), moons))
    net = build(run.recipe.net, 0)
    expected = [r for r in train(net, moons, run.recipe.training, device="cpu") if isinstance(r, Step | Epoch)]
    records = [r for frame in run.frames for r in frame.records]
    assert [(type(r), r.step, r.loss) for r in records] == [(type(r), r.step, r.loss) for r in expected]
    assert all(
        torch.equal(a, b) for a, b in zip(run.network().state_dict().values(), net.state_dict().values(), strict=True)
    )


def test_two_runs_of_one_recipe_show_the_same_pictures(moons):
    first, second = finished(Run(recipe(), moons)), finished(Run(recipe(), moons))
    for a, b in zip(first.frames, second.frames, strict=True):
        assert all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("picture", "lit", "sure"))


@pytest.mark.parametrize("how", ["ended", "cancelled"])
def test_asking_again_after_the_end_waits_for_nothing(moons, how):
    run = Run(recipe(), moons)
    if how == "ended":
        finished(run)
    else:
        run.want(2)
        run.wait(2, 10)
        run.cancel()
        run.join(10)
        assert len(run.frames) < FRAMES / 2
        assert not run.is_ended
    started = time.perf_counter()
    run.want(10**7)
    run.wait(10**7, 5)
    assert time.perf_counter() - started < 1


def test_a_cancelled_run_is_not_told_as_one_that_has_ended(moons):
    run = Run(recipe(), moons)
    run.want(2)
    run.wait(2, 10)
    run.cancel()
    run.join(10)
    header, _ = unpacked(packing.packed([run, run], "name", 0, moons))
    assert [side["done"] for side in header["sides"]] == [False, False]


def test_ending_all_runs_ends_their_threads(moons):
    runs = [Run(recipe(), moons) for _ in range(3)]
    runs[0].want(10**6)
    end_all()
    assert all(run.cancelled and not run._thread.is_alive() for run in runs)


def test_a_state_names_frames_weights_and_end_of_one_moment(moons):
    run = Run(recipe(), moons)
    assert run.state().weights == {}
    finished(run)
    state = run.state()
    assert state.is_ended
    assert state.frames == len(run.frames)
    assert torch.equal(state.weights["output.weight"], run.net.state_dict()["output.weight"])


@pytest.mark.parametrize(("said", "taken"), [(5, 5), (None, 0), ("7", 0), (-1, 0), (10**9, 0), (2.5, 0)])
def test_what_a_browser_says_it_has_is_checked(said, taken):
    assert recipes.read_have(said) == taken


def test_an_error_in_a_run_reaches_whoever_watches(moons):
    bad = Recipe("moons", MLP((3, 4, 2), 0.5), 0, Training(epochs=1), "cpu")
    with pytest.raises(RuntimeError):
        build(bad.net, 0)(torch.tensor(moons.x_test))
    run = Run(bad, moons)
    run.want(1)
    run.wait(1, 10)
    assert run.done
    assert "inputs of shape (2,)" in str(run.error)


@pytest.mark.parametrize("gamma", [0.25, None])
def test_lit_units_are_the_pattern_of_the_sample_inputs(digits, gamma):
    net = build(MLP((64, 30, 20, 10), gamma), 1)
    frame = Framer(net, digits).frame([])
    won = np.concatenate(patterns(net, torch.tensor(digits.x_test[samples(digits)])), axis=1)
    assert np.array_equal(frame.lit > 0, won)
    assert frame.lit[won].min() >= FAINTEST


def test_a_feature_map_is_lit_when_it_holds_a_winner(digits):
    net = build(CNN((1, 8, 8), (5,), 10, gamma=(0.05, 0.2), hidden=(12,)), 1).eval()
    x = torch.tensor(digits.x_test[samples(digits)])
    frame = Framer(net, digits).frame([])
    won = patterns(net, x)[0].reshape(activations(net, x)[0].shape)
    assert frame.lit.shape == (10, 5 + 12)
    assert np.array_equal(frame.lit[:, :5] > 0, won.any(axis=(2, 3)))


def test_the_decision_map_shows_class_and_confidence_at_its_squares(moons):
    net = build(MLP((2, 16, 2), 0.25), 0).eval()
    frame = Framer(net, moons).frame([])
    chance = net(torch.tensor(grid(moons))).softmax(1).detach().numpy()
    assert np.array_equal(frame.picture[0].ravel(), chance.argmax(1))
    assert np.abs(frame.picture[1].ravel() / 255 - chance.max(1)).max() <= 0.5 / 255 + 1e-6
    corners = grid(moons)[[0, -1]]
    assert corners[0][0] < corners[1][0]
    assert corners[0][1] > corners[1][1]


def test_sample_inputs_take_the_classes_in_turn(digits):
    assert digits.labels_test[samples(digits)].tolist() == list(range(10))


def unpacked(block: bytes):
    raw = gzip.decompress(block)
    length = int.from_bytes(raw[:4], "little")
    return json.loads(raw[4 : 4 + length]), raw[4 + length :]


def test_a_block_holds_the_frames_and_the_setting_to_the_byte(moons):
    sides = [finished(Run(recipe(), moons)), finished(Run(recipe(None), moons))]
    header, body = unpacked(packing.packed(sides, "name", 0, moons))
    assert header["key"] == "name"
    at = 0
    for side, run in zip(header["sides"], sides, strict=True):
        assert len(side["frames"]) == packing.CHUNK
        for frame in run.frames[: packing.CHUNK]:
            for part in (frame.picture, frame.lit, frame.sure):
                assert body[at : at + part.size] == part.tobytes()
                at += part.size
    points = header["setting"]["points"]
    assert len(body) - at == 2 * 2 * len(header["setting"]["labels"]) + 2 * 2 * points + points
    later, _ = unpacked(packing.packed(sides, "name", len(sides[0].frames) - 1, moons))
    assert "setting" not in later
    assert [side["done"] for side in later["sides"]] == [True, True]


# Who watches which run.


def pair(seed: int, left: float = 0.5, right: float | None = None) -> recipes.Pair:
    """Two small recipes that no other test asks for."""
    schedule = Training(epochs=50, seed=seed)
    one, two = (Recipe("moons", MLP((2, 8, 2), gamma), seed, schedule, "cpu") for gamma in (left, right))
    return recipes.Pair(one, two)


def started(viewer: training.Viewer, pair: recipes.Pair) -> list[Run]:
    viewer.chunk(pair, 0)
    runs = [viewer.watch(pair.left), viewer.watch(pair.right)]
    for run in runs:
        run.wait(5, 10)
    return runs


def test_a_session_that_moves_on_lets_go_of_its_former_runs():
    viewer = training.Viewer()
    before = started(viewer, pair(101, 0.5))
    after = started(viewer, pair(101, 0.25))
    assert before[0].cancelled
    assert before[1] is after[1]
    assert not any(run.cancelled for run in after)
    elsewhere = started(viewer, pair(102))
    assert all(run.cancelled for run in after)
    assert not any(run.cancelled for run in elsewhere)


def test_a_run_goes_on_while_another_session_watches_it():
    first, second = training.Viewer(), training.Viewer()
    runs = started(first, pair(103))
    assert started(second, pair(103)) == runs
    first.cancel(pair(103))
    assert first.cancelled
    assert not any(run.cancelled for run in runs)
    started(second, pair(104))
    assert all(run.cancelled for run in runs)


def test_a_session_that_has_ended_watches_nothing():
    first, second = training.Viewer(), training.Viewer()
    runs = started(first, pair(105))
    started(second, pair(105))
    del second
    gc.collect()
    first.cancel(pair(105))
    assert all(run.cancelled for run in runs)


def test_a_cancelled_pair_keeps_its_pictures_and_its_network_until_it_is_trained_again():
    viewer, other = training.Viewer(), training.Viewer()
    wanted = pair(106)
    runs = started(viewer, wanted)
    started(other, wanted)
    viewer.cancel(wanted)
    viewer.cancel(wanted)
    assert viewer.cancelled is not None
    n = min(state.frames for state in viewer.cancelled.states)
    other.chunk(wanted, n + 10)
    runs[0].wait(n + 8, 10)
    header, _ = unpacked(viewer.chunk(wanted, 0))
    assert header["cancelled"]
    assert "setting" in header
    header, _ = unpacked(viewer.chunk(wanted, n - 1))
    assert len(header["sides"][0]["frames"]) == 1
    assert [side["done"] for side in header["sides"]] == [True, True]
    kept = from_bytes(viewer.checkpoint(wanted.left)).state_dict()
    state = viewer.cancelled.states[0].weights
    assert all(torch.equal(kept[name], value) for name, value in state.items())
    assert not torch.equal(kept["output.weight"], runs[0].state().weights["output.weight"])
    viewer.again()
    header, _ = unpacked(viewer.chunk(wanted, 0))
    assert not header["cancelled"]
    assert [side["done"] for side in header["sides"]] == [False, False]


def test_a_cancelled_pair_stands_at_one_epoch_also_where_one_of_them_had_ended_before():
    viewer = training.Viewer()
    ended = recipe(None, epochs=2, seed=108)
    ended_run = finished(viewer.watch(ended))
    wanted = recipes.Pair(recipe(0.25, epochs=2, seed=108), ended)
    viewer.watch(wanted.left).want(3)
    viewer.watch(wanted.left).wait(3, 10)
    viewer.cancel(wanted)
    header, _ = unpacked(viewer.chunk(wanted, 0))
    assert 0 < len(header["sides"][0]["frames"]) < len(ended_run.frames)
    assert [side["done"] for side in header["sides"]] == [True, True]


def test_training_again_after_a_cancel_takes_the_same_course():
    viewer = training.Viewer()
    wanted = pair(107)
    before = started(viewer, wanted)
    viewer.cancel(wanted)
    viewer.again()
    after = started(viewer, wanted)
    assert not {*map(id, before)} & {*map(id, after)}
    for a, b in zip(before, after, strict=True):
        assert all(np.array_equal(x.picture, y.picture) for x, y in zip(a.frames[:5], b.frames[:5], strict=True))


def test_runs_that_have_ended_stay_at_hand_and_cannot_be_cancelled():
    viewer = training.Viewer()
    short = recipes.Pair(recipe(0.25, epochs=1), recipe(None, epochs=1))
    runs = [finished(viewer.watch(one)) for one in (short.left, short.right)]
    viewer.cancel(short)
    assert viewer.cancelled is None
    started(viewer, pair(108))
    assert [training.run(short.left), training.run(short.right)] == runs


def test_a_run_that_diverged_does_not_hold_the_other_back(moons):
    sides = [finished(Run(recipe(None, learning_rate=1e20), moons)), finished(Run(recipe(), moons))]
    short, long = (len(side.frames) for side in sides)
    assert short < packing.CHUNK < long
    header, _ = unpacked(packing.packed(sides, "name", 0, moons))
    assert [len(side["frames"]) for side in header["sides"]] == [short, packing.CHUNK]
    assert [side["done"] for side in header["sides"]] == [True, False]
    header, _ = unpacked(packing.packed(sides, "name", long - 2, moons))
    assert [len(side["frames"]) for side in header["sides"]] == [0, 2]
    assert [side["done"] for side in header["sides"]] == [True, True]


def test_a_diverged_run_is_packed_with_its_message(moons):
    sides = [finished(Run(recipe(None, learning_rate=1e20), moons)) for _ in range(2)]
    header, _ = unpacked(packing.packed(sides, "name", 0, moons))
    assert all(side["failed"] and "diverged" in side["message"] for side in header["sides"])
    assert header["sides"][0]["frames"][-1]["steps"][-1][1] is None


def test_the_twin_differs_in_its_activation_alone():
    setup = Setup(data="moons", gamma=0.5, seed=3)
    pair = recipes.pair(setup, MLP((2, 8, 2), 0.5), "relu", "annealed", Training())
    assert pair.right.net == MLP((2, 8, 2), None)
    assert pair.left.training.gamma == Annealing(1.0, 0.5, 0.025)
    assert pair.right.training == Training(seed=3)
    assert (pair.left.seed, pair.left.data) == (pair.right.seed, pair.right.data) == (3, "moons")
    assert recipes.key(pair) == recipes.key(recipes.pair(setup, MLP((2, 8, 2), 0.5), "relu", "annealed", Training()))
    assert recipes.key(pair) != recipes.key(recipes.pair(setup, MLP((2, 8, 2), 0.5), "1.0", "annealed", Training()))


def test_layers_may_have_gammas_of_their_own():
    setup = Setup(gamma=0.01, net="64,8")  # the shared γ is too small, and does not matter
    wanted = recipes.net(setup, recipes.read_gammas(" 0.3, 0.25"))
    assert wanted.winners == (19, 2)
    pair = recipes.pair(setup, wanted, "relu", "held", Training())
    assert pair.right.net == MLP((64, 64, 8, 10))
    assert training.file_name(pair.left) == "kwta_digits_gamma0.3-0.25_seed0.safetensors"
    with pytest.raises(Unusable, match="annealing moves γ of all layers alike"):
        recipes.pair(setup, wanted, "relu", "annealed", Training())


@pytest.mark.parametrize(
    ("gamma", "gammas", "said"),
    [
        (0.01, "", "γ = 0.01 leaves hidden layer 1, of 64 units, without a winner; choose at least 0.13$"),
        (0.1, "", "γ = 0.1 leaves hidden layer 2, of 8 units, without a winner; choose at least 0.13$"),
        (0.1, "0.01,0.5", "γ = 0.01 leaves hidden layer 1, of 64 units, without a winner; choose at least 0.02 there"),
        (0.2, "0.1", "2 hidden layers need as many γ, or one for all; got 1"),
    ],
)
def test_a_layer_without_winner_is_told_with_the_least_gamma_for_it(gamma, gammas, said):
    with pytest.raises(Unusable, match=said):
        recipes.net(Setup(gamma=gamma, net="64,8"), gammas)


def test_the_least_gamma_has_a_winner_and_a_hundredth_less_has_none():
    for n in range(1, 300):
        hundredths = round(100 * networks.least(n))
        assert hundredths * n >= 100
        assert hundredths == 1 or (hundredths - 1) * n < 100
    assert recipes.net(Setup(net="64"), "0.015625").winners == (1,)


def test_the_schedule_carries_every_control_into_the_training():
    plan = recipes.schedule(30, 16, "adam", 0.01, 2.0, "15:0.001,10:0.005", 0.001, 4)
    assert plan == Training(
        30, 16, "adam", 0.01, weight_decay=0.001, rate_steps=((15, 0.001), (10, 0.005)), clip=2.0, patience=4
    )
    assert recipes.schedule(20, 64, "sgd", 0.1, 0.0) == Training(20, 64, "sgd", 0.1)


def test_steps_of_the_learning_rate_are_put_in_order():
    assert recipes.read_steps("15: 0.001 ,10:5e-3") == "10:0.005,15:0.001"
    assert recipes.read_steps("") == ""


@pytest.mark.parametrize("text", ["10", "10:", "0:0.1", "5:0", "5:nan", "5:1000", "5:0.1,5:0.2", "x" * 5000])
def test_steps_that_cannot_be_are_refused(text):
    with pytest.raises(ValueError, match="pairs EPOCH:RATE, such as") as error:
        recipes.read_steps(text)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("text", ["0", "1.1", "0.2,", "a", "nan,0.1", "1e999"])
def test_gammas_of_layers_that_cannot_be_are_refused(text):
    with pytest.raises(ValueError, match="γ per layer is a list"):
        recipes.read_gammas(text)


def test_a_training_that_stops_early_says_so(moons):
    run = finished(Run(recipe(learning_rate=1e-5, weight_decay=0.9, epochs=60, patience=1), moons))
    header, _ = unpacked(packing.packed([run, run], "name", len(run.frames), moons))
    assert [side["early"] for side in header["sides"]] == [True, True]
    assert "epoch" in header["sides"][0]["message"]


@pytest.mark.parametrize("epochs", [41, 50, 60])
def test_annealing_at_a_tenth_is_the_recipe_of_the_paper(epochs):
    assert recipes.annealing(0.1, epochs) == ANNEALED


@pytest.mark.parametrize("gamma", [0.01, 0.1, 0.33, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("epochs", [1, 21, 100])
def test_annealing_never_leaves_its_range_and_arrives_if_there_is_time(gamma, epochs):
    course = [recipes.annealing(gamma, epochs).at(epoch) for epoch in range(1, epochs + 1)]
    assert all(gamma <= g <= 1 for g in course)
    assert epochs < 21 or course[-1] == gamma


@pytest.mark.parametrize("text", ["", "relu2", "0", "1.5", "nan", "inf", "1e999"])
def test_a_twin_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="must be relu or"):
        recipes.read_twin(text)


def test_the_course_of_gamma_is_told_where_it_moves():
    assert recipes.course(0.1, 50, "held") == ""
    assert recipes.course(0.1, 50, "annealed") == "γ from 0.2 to 0.1, −0.005 every 2 epochs"
