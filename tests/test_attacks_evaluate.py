"""Robust accuracy: an independent judge, the worst case per image, intervals, and AutoAttack beside it."""

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from attacked_networks import images, trained
from some_networks import unchecked
from torch import nn

from kwta.attacks.adaptive import QUICK, Adaptive
from kwta.attacks.budget import Budget, most_queries, within
from kwta.attacks.case import follows_gradients
from kwta.attacks.ensembles import FASTEST, SHORT, adaptive, quick, standard
from kwta.attacks.estimators import Smoothed
from kwta.attacks.evaluate import evaluate, evaluated, names
from kwta.attacks.foreign import CarliniWagner, DeepFool
from kwta.attacks.gradient import Pgd, fgsm
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.interval import Z95, wilson
from kwta.attacks.judge import judged
from kwta.attacks.masking import diagnosed
from kwta.attacks.noise import Noise
from kwta.attacks.outcomes import Progress, Robustness, Skipped
from kwta.attacks.propose import propose
from kwta.attacks.search import RandomSearch
from kwta.attacks.square import Square
from kwta.attacks.step_size import Decreasing, Relative
from kwta.attacks.surrogates import StraightThrough
from kwta.attacks.transfer import Transfer
from kwta.cli.main import main
from kwta.cli.reproduce import SCHEDULES
from kwta.networks import MLP, build
from kwta.threats import Threat

CLIMB = Pgd(step=0.01, steps=10, until_success=True)
FEW = (fgsm(), Noise(5), CLIMB, Square(30), Transfer(Pgd(step=0.01, steps=10)))


# The interval.


@pytest.mark.parametrize("n", [1, 10, 400])
def test_wilsons_bounds_at_the_ends_are_n_and_z_squared(n):
    """For p̂ = 0 the formula is z²/(n + z²)."""
    reach = Z95**2 / (n + Z95**2)
    assert wilson(0, n) == pytest.approx((0, reach), rel=1e-12)
    assert wilson(n, n) == pytest.approx((1 - reach, 1), rel=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(3, 7), (200, 400), (1, 1000)])
def test_at_wilsons_bounds_the_share_is_z_standard_deviations_away(successes, n):
    for bound in wilson(successes, n):
        assert abs(successes / n - bound) == pytest.approx(Z95 * math.sqrt(bound * (1 - bound) / n), rel=1e-9)


def test_wilson_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for successes, n in ((0, 5), (3, 9), (77, 90), (250, 250)):
        theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
        assert wilson(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_without_trials_nothing_is_known_and_impossible_counts_are_refused():
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"0\.\.3"):
        wilson(4, 3)


# The judge.


def line() -> nn.Module:
    """Class 1 where x > 0.5."""
    net = nn.Linear(1, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0], [1.0]]))
        net.bias.copy_(torch.tensor([0.5, 0.0]))
    return net.eval()


def test_only_what_lies_in_ball_and_box_counts():
    x, labels = torch.tensor([[0.45], [0.45], [0.45], [0.05]]), torch.zeros(4, dtype=torch.int64)
    proposed = torch.tensor([[0.52], [0.9], [-7.0], [torch.nan]])
    near = judged(line(), x, labels, proposed, Threat(0.1))
    assert near.fooled.tolist() == [True, True, False, False]
    assert near.x[:, 0].tolist() == pytest.approx([0.52, 0.55, 0.35, 0.05])
    far = judged(line(), x, labels, proposed, Threat(0.04))
    assert far.fooled.tolist() == [False] * 4
    assert Threat(0.04).contains(far.x, x, 1e-6).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("eps", [8, 8.3])
def test_a_wide_data_box_is_judged_with_the_rounding_of_its_numbers(norm, eps):
    """Near 255 float32 numbers are 1.5e-5 apart: x + 8.3 is no farther from x than rounding makes it."""
    source = torch.Generator().manual_seed(0)
    x, threat = torch.randint(256, (20, 3, 8, 8), generator=source).float(), Threat(eps, norm, 0, 255)
    net = build(MLP((192, 4)), 0)
    labels = net(x).argmax(dim=1)
    far = x + 100 * torch.randn(x.shape, generator=source)
    found = judged(net, x, labels, far, threat)
    assert ((threat.distance(found.x, x) - eps).abs() <= 2e-4).all()
    assert threat.contains(found.x, x).all()
    assert not threat.contains(x + 1.001 * (found.x - x), x).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_inputs_of_any_size_are_judged_where_the_data_box_has_no_borders(norm):
    source, threat = torch.Generator().manual_seed(0), Threat(0.1, norm, -torch.inf, torch.inf)
    x, net = 1000 * torch.rand(50, 20, generator=source), build(MLP((20, 4)), 0)
    labels = net(x).argmax(dim=1)
    found = judged(net, x, labels, x + torch.randn(x.shape, generator=source), threat)
    assert ((threat.distance(found.x, x) - 0.1).abs() < 1e-3).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_networks_of_coarse_numbers_are_refused_at_every_door(dtype):
    net, x, labels = build(MLP((4, 3)), 0).to(dtype), torch.rand(5, 4).to(dtype), torch.zeros(5, dtype=torch.int64)
    with pytest.raises(ValueError, match="float32 or float64"):
        judged(net, x, labels, x, Threat(0.1))
    with pytest.raises(ValueError, match="float32 or float64"):
        evaluate(net, x, labels, Threat(0.1), (fgsm(),))


def test_no_input_is_judged_and_proposed_without_ado():
    x, labels, net = torch.rand(0, 1, 2, 2), torch.zeros(0, dtype=torch.long), build(MLP((4, 3)), 0)
    assert len(judged(net, x, labels, x, Threat(0.1)).fooled) == 0
    for spec in (*quick(Threat(0.1), 4)[:5], Noise(law="gaussian"), Square(5), FEW[3]):
        proposal = propose(spec, net, x, labels, Threat(0.1, "l2"), torch.Generator())
        assert len(proposal.x) == len(proposal.queries) == 0


def test_an_input_that_is_wrong_already_counts_as_fooled_whatever_is_proposed():
    x, labels = torch.tensor([[0.9]]), torch.zeros(1, dtype=torch.int64)
    judgement = judged(line(), x, labels, torch.tensor([[0.1]]), Threat(1.0))
    assert judgement.fooled.tolist() == [True]
    assert judgement.x.tolist() == x.tolist()


# The evaluation.


@pytest.fixture(scope="module")
def found() -> Robustness:
    x, labels = images(60)
    return evaluated(trained(0.05), x, labels, Threat(0.1), FEW, twin=trained(None))


def test_the_worst_case_is_per_image_over_all_attacks(found):
    broken = np.logical_or.reduce([outcome.broken for outcome in found.attacks])
    assert np.array_equal(found.robust, found.correct & ~broken)
    assert found.worst_case <= min(outcome.robust_accuracy for outcome in found.attacks) <= found.accuracy
    assert found.worst_interval == wilson(int(found.robust.sum()), 60)
    for outcome in found.attacks:
        assert not (outcome.broken & ~found.correct).any()
        assert np.array_equal(outcome.robust, found.correct & ~outcome.broken)
        assert outcome.interval[0] <= outcome.robust_accuracy <= outcome.interval[1]


def test_images_that_are_wrong_without_attack_are_not_attacked(found):
    assert not found.correct.all()
    for outcome in found.attacks:
        assert not outcome.queries[~found.correct].any()
    assert (found.named("fgsm").queries[found.correct] > 0).all()
    assert found.named("fgsm").mean_backwards == 1
    assert found.named("transfer").queries.sum() == 0


def test_records_come_attack_by_attack_and_the_robustness_last():
    x, labels = images(40)
    records = list(evaluate(trained(None), x, labels, Threat(0.1), FEW[:2], batch=15))
    assert [type(r).__name__ for r in records] == [*(["Progress"] * 3 + ["Outcome"]) * 2, "Robustness"]
    progress = [r for r in records if isinstance(r, Progress)]
    assert [(p.name, p.done) for p in progress] == [(n, d) for n in ("fgsm", "noise") for d in (15, 30, 40)]
    assert progress[2].broken == int(records[3].broken.sum())


def test_of_a_network_in_training_one_state_is_judged_whatever_happens_to_it_meanwhile():
    x, labels = images(30)
    net = copy.deepcopy(trained(0.05)).train()
    records = evaluate(net, x, labels, Threat(0.1), FEW[:3])
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
    *_, last = records
    assert np.array_equal(last.robust, evaluated(trained(0.05), x, labels, Threat(0.1), FEW[:3]).robust)
    assert net.training


def test_an_attack_finds_the_same_whatever_runs_beside_it_and_however_long_one_waits():
    x, labels = images(40)
    net, threat = trained(0.05), Threat(0.1)
    alone = evaluated(net, x, labels, threat, (Square(30),), seed=3).attacks[0]
    records = evaluate(net, x, labels, threat, (Noise(5), Square(30)), seed=3)
    torch.rand(5)
    *_, beside, _ = records
    assert np.array_equal(alone.broken, beside.broken)
    assert np.array_equal(alone.queries, beside.queries)
    other = evaluated(net, x, labels, threat, (Square(30),), seed=4).attacks[0]
    assert not np.array_equal(alone.queries, other.queries)


def test_without_a_twin_the_transfer_is_left_out_and_says_so():
    x, labels = images(10)
    found = evaluated(trained(None), x, labels, Threat(0.1), (fgsm(), FEW[4]))
    assert [outcome.name for outcome in found.attacks] == ["fgsm"]
    assert found.skipped == (Skipped("transfer", "there is no twin to transfer from"),)


def test_transfer_from_the_network_itself_is_the_attack_itself():
    x, labels = images(40)
    net, attack = trained(None), Pgd(step=0.02, steps=10, start="clean")
    found = evaluated(net, x, labels, Threat(0.1), (attack, Transfer(attack)), twin=net)
    assert np.array_equal(found.attacks[0].broken, found.attacks[1].broken)


def test_a_time_that_is_up_begins_no_further_batch_and_keeps_what_was_found():
    x, labels = images(60)
    threat, net = Threat(0.3), trained(None)
    found = evaluated(net, x, labels, threat, (fgsm(), CLIMB), budget=Budget(seconds=1e-9), batch=20)
    assert [skipped.name for skipped in found.skipped] == ["fgsm", "pgd"]
    assert found.attacks == ()
    assert found.correct[20:].sum() == found.robust[20:].sum()  # of 60 images only the first 20 were attacked
    assert found.robust[:20].sum() < found.correct[:20].sum()


MANY = (
    Square(500),
    RandomSearch(500),
    Noise(500),
    DeepFool(),
    CarliniWagner(),
    HopSkipJump(4, 40),
    Adaptive.scaled(0.02, QUICK),
    Pgd(step=Decreasing(0.01, 0.001), steps=20, restarts=9),
    Pgd(step=0.01, steps=30, gradient=Smoothed(0.1, ((3, 10), (2, 40)))),
    Pgd(step=Relative(0.1), steps=30, gradient=StraightThrough()),
)


def kept(threat: Threat, specs: tuple, queries: int | None) -> Robustness:
    """The attacks on a few images, of which most resist."""
    x, labels = images(6)
    found = evaluated(trained(0.05), x, labels, threat, specs, budget=Budget(queries=queries))
    for outcome in found.attacks:
        assert 0 < outcome.queries.max() <= most_queries(outcome.spec, threat, 64, 10)
    return found


@pytest.mark.parametrize(
    ("queries", "threat"),
    [
        (1, Threat(0.02)),
        (7, Threat(0.1, "l2")),
        (100, Threat(0.1, "l2")),
        pytest.param(300, Threat(0.02), marks=pytest.mark.slow),
    ],
)
def test_no_attack_asks_more_than_the_budget_of_queries_and_what_cannot_is_left_out(queries, threat):
    specs = (*quick(threat, 64)[:5], *quick(threat, 64)[6:], *MANY)
    found = kept(threat, specs, queries)
    assert all(outcome.queries.max() <= queries for outcome in found.attacks)
    assert len(found.attacks) + len(found.skipped) == len(specs)
    for skipped in found.skipped:
        assert f"the budget is {queries}" in skipped.reason
    left_out = {1: 15, 7: 5, 100: 2, 300: 0}[queries]
    assert len(found.skipped) <= left_out


@pytest.mark.slow
@pytest.mark.parametrize("threat", [Threat(0.02), Threat(0.1, "l2")], ids=lambda t: t.norm)
def test_without_a_budget_no_attack_asks_more_than_what_it_may_at_most(threat):
    specs = (*MANY[3:6], *MANY[8:], *quick(threat, 64)[3:5])
    assert [outcome.spec for outcome in kept(threat, specs, None).attacks] == list(specs)


def test_a_climb_gives_up_restarts_before_steps_and_shorter_ones_still_cross_the_ball():
    threat = Threat(0.3)
    climb = Pgd(step=0.03, steps=40, restarts=5, until_success=True)
    fewer, shorter, least = (within(climb, Budget(queries=n), threat, 64, 10) for n in (130, 21, 3))
    assert isinstance(fewer, Pgd)
    assert (fewer.restarts, fewer.steps, fewer.step) == (3, 40, 0.03)
    for spec, steps in ((shorter, 20), (least, 2)):
        assert isinstance(spec, Pgd)
        assert (spec.restarts, spec.steps) == (1, steps)
        assert sum(spec.sizes(0.3)) == pytest.approx(max(0.6, 0.03 * steps))
    assert within(climb, Budget(queries=2), threat, 64, 10) == (
        "it takes up to 3 queries even where it is shortest, the budget is 2"
    )
    slow = Pgd(step=Relative(0.01), steps=40)  # travels 0.4 ε, and so it does in fewer steps
    assert sum(within(slow, Budget(queries=11), threat, 64, 10).sizes(0.3)) == pytest.approx(0.12)


@pytest.mark.parametrize("schedule", [FASTEST, SHORT, QUICK])
@pytest.mark.parametrize("queries", [50, 100, 1000, 3000])
def test_the_adaptive_attack_spends_most_of_the_budget_on_steps_and_on_passes_alike(schedule, queries):
    spec = within(Adaptive.scaled(0.1, schedule), Budget(queries=queries), Threat(0.1), 64, 10)
    assert isinstance(spec, Adaptive)
    assert 0.7 * queries <= most_queries(spec, Threat(0.1), 64, 10) <= queries
    before, after = (sum(steps for steps, _ in s) for s in (schedule, spec.schedule))
    passes = [sum(steps * samples for steps, samples in s) for s in (schedule, spec.schedule)]
    assert after / before > passes[1] / passes[0]
    assert spec.climb.steps * spec.step >= min(0.2, Adaptive.scaled(0.1, schedule).step * before) * (1 - 1e-9)


def test_with_a_hundred_queries_the_diagnosis_still_has_a_climb_of_many_steps():
    x, labels = images(20)
    net, threat = trained(0.05), Threat(0.1)
    found = evaluated(net, x, labels, threat, quick(threat, 64), budget=Budget(queries=100), twin=trained(None))
    assert found.named("pgd").spec.steps > 10
    assert follows_gradients(found.named("pgd"))
    assert {sign.name for sign in diagnosed(net, x, labels, found).evidence} >= {"beaten", "missed"}


def test_where_seconds_are_given_the_clock_is_looked_at_after_every_25_images():
    x, labels = images(60)
    for budget, steps in ((Budget(seconds=1000), [25, 50, 60]), (Budget(), [60])):
        records = evaluate(trained(None), x, labels, Threat(0.1), FEW[:1], budget=budget)
        assert [r.done for r in records if isinstance(r, Progress)] == steps


def test_attacks_that_need_the_borders_of_the_box_are_left_out_where_it_has_none():
    x, labels = images(6)
    threat = Threat(0.05, low=-math.inf, high=math.inf)
    found = evaluated(trained(0.05), 100 * x, labels, threat, (*quick(threat, 64), DeepFool()))
    borders = {skipped.name for skipped in found.skipped if "without borders" in skipped.reason}
    assert borders == {"hopskipjump", "deepfool"}
    assert {"pgd", "square", "adaptive"} <= {outcome.name for outcome in found.attacks}


def test_reproduce_tells_the_passes_of_every_schedule(capsys):
    assert main(["reproduce", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for name, schedule in SCHEDULES.items():
        assert f"{name} {sum(steps * samples for steps, samples in schedule):,}" in told


@pytest.mark.parametrize("threat", [Threat(0.1), Threat(1.0, "l2")], ids=lambda t: t.norm)
def test_both_ensembles_have_what_a_number_may_not_stand_without(threat):
    wanted = {"fgsm", "noise", "pgd", "transfer", "square", "hopskipjump", "adaptive"}
    for ensemble in (quick(threat, 64), standard(threat, 64)):
        assert wanted <= set(names(ensemble))
        assert len({hash(spec) for spec in ensemble}) == len(ensemble)


def test_in_l2_the_adaptive_attack_smooths_with_noise_of_half_of_eps():
    spec = adaptive(Threat(2.0, "l2"), 100, FASTEST)
    assert (spec.sigma, spec.step) == (pytest.approx(0.1), pytest.approx(0.4))
    assert adaptive(Threat(0.1), 100, FASTEST).sigma == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(0, 1, 8, 8), "labels": torch.zeros(0, dtype=torch.int64)}, "at least one image"),
        ({"x": torch.full((2, 1, 8, 8), 3.0), "labels": torch.zeros(2, dtype=torch.int64)}, "data box"),
        ({"attacks": (fgsm(), fgsm())}, "given twice"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_the_first_record(change, message):
    x, labels = images(2)
    arguments = {"x": x, "labels": labels, "threat": Threat(0.1), "attacks": (fgsm(),), **change}
    with unchecked(), pytest.raises(ValueError, match=message):
        evaluate(trained(None), **arguments)


def test_budgets_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="seconds"):
        Budget(seconds=0.0)
    with pytest.raises(ValueError, match="queries"):
        Budget(queries=0)


def test_an_attack_that_is_not_there_is_named_with_those_that_are(found):
    with pytest.raises(ValueError, match="fgsm, noise"):
        found.named("boundary")


@pytest.mark.slow
@pytest.mark.parametrize("threat", [Threat(0.1), Threat(0.6, "l2")], ids=lambda t: t.norm)
def test_our_worst_case_is_autoattacks_within_its_interval_or_we_are_stronger(threat):
    from pyautoattack import AutoAttack

    net = trained(None)
    x, labels = images(150)
    ours = evaluated(net, x, labels, threat, quick(threat, 64), twin=trained(None, seed=1))
    norm = {"linf": "Linf", "l2": "L2"}[threat.norm]
    with torch.random.fork_rng():  # it seeds the global generator
        theirs = AutoAttack(net, norm=norm, eps=threat.eps, seed=0, version="standard")
        theirs.verbose = False
        state = theirs.run_standard_evaluation(x, labels, batch_size=150)
    proposed = state[0] if isinstance(state, tuple) else state
    robust = ~judged(net, x, labels, proposed.detach(), threat).fooled
    low, high = wilson(int(robust.sum()), len(x))
    assert ours.worst_case <= high
    assert low <= ours.worst_case or ours.worst_case < float(Fraction(int(robust.sum()), len(x)))


@pytest.mark.parametrize("ensemble", [quick, standard])
def test_an_ensemble_for_a_ball_without_room_names_eps(ensemble):
    with pytest.raises(ValueError, match="positive eps, got 0"):
        ensemble(Threat(0.0), 64)
