"""Masking: the verdict on networks whose gradients mislead and on others, and each sign by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attacked_networks import images, right, trained
from torch import nn

from kwta.attacks.case import ANYWHERE, Case
from kwta.attacks.ensembles import quick
from kwta.attacks.evaluate import evaluated
from kwta.attacks.gradient import Pgd, fgsm
from kwta.attacks.masking import SIGNS, diagnosed, enough, verdict
from kwta.attacks.noise import Noise
from kwta.attacks.outcomes import Outcome, Robustness
from kwta.attacks.significance import binomial_tail, mcnemar
from kwta.attacks.signs import LEVEL, TOLERATED, Evidence, _radii, ascent, gradients, larger_eps, missed, one_step
from kwta.attacks.square import Square
from kwta.threats import Threat

THREAT = Threat(0.1)
N = 120


def judged_with(gamma: float | None, n: int = N) -> tuple[Robustness, torch.Tensor, torch.Tensor]:
    x, labels = images(n)
    slow = ("pgd-margin", "transfer", "hopskipjump")
    attacks = [spec for spec in quick(THREAT, 64) if spec.name not in slow]
    return evaluated(trained(gamma), x, labels, THREAT, attacks), x, labels


def test_relu_shows_no_sign_of_masking():
    found, x, labels = judged_with(None)
    masking = diagnosed(trained(None), x, labels, found)
    assert masking.verdict == "no sign of masking"
    assert not any(sign.speaks for sign in masking.evidence)
    assert len(masking.evidence) == 7
    assert masking.n == found.correct.sum()


@pytest.mark.slow
def test_k_wta_with_few_winners_is_masked_and_the_adaptive_attack_shows_it():
    found, x, labels = judged_with(0.05, 200)
    masking = diagnosed(trained(0.05), x, labels, found)
    assert masking.verdict == "masked"
    signs = {sign.name: sign for sign in masking.evidence}
    assert signs["beaten"].speaks
    assert signs["missed"].speaks
    assert signs["beaten"].numbers["gain_adaptive"] > 0.05 * masking.n
    falls = [ascent(Case(trained(gamma), x, labels, found)).numbers["falling"] for gamma in (None, 0.05)]
    assert falls[0] < 0.02 < 0.1 < falls[1]


def test_five_images_are_not_enough_to_tell():
    x, labels = images(5)
    found = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    assert diagnosed(trained(0.05), x, labels, found).verdict == "not enough images to tell"


def test_a_diagnosis_repeats_itself():
    x, labels = images(30)
    found = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    first, second = (diagnosed(trained(0.05), x, labels, found) for _ in range(2))
    assert first == second


def outcomes(n: int, by_pgd: int, by_square: int, by_fgsm: int = 0) -> Robustness:
    """PGD breaks the first images, Square (or one step) the last ones."""
    at = np.arange(n)
    broken = {Pgd(step=0.1): at < by_pgd, Square(5): at >= n - by_square, fgsm(): at >= n - by_fgsm}
    none = np.zeros(n, np.int64)
    attacks = tuple(Outcome(spec, spec.name, b, ~b, none, none, 0.0) for spec, b in broken.items())
    robust = np.logical_and.reduce([a.robust for a in attacks])
    return Robustness(THREAT, 0, np.ones(n, bool), robust, attacks)


def case(net: nn.Module, n: int, found: Robustness) -> Case:
    x, labels = right(net, 2 * n)
    return Case(net, x[:n], labels[:n], found)


@pytest.mark.parametrize(("by_square", "speaks"), [(0, False), (3, False), (6, True), (30, True)])
def test_images_that_gradients_miss_speak_beyond_what_any_climb_misses(by_square, speaks):
    tiny = replace(outcomes(50, 10, by_square), threat=Threat(1e-6))  # in which the restarts find nothing
    sign = missed(case(trained(None), 50, tiny))
    assert sign.speaks is speaks
    assert sign.numbers["missed"] == by_square


def constant_steps(slope: float) -> nn.Module:
    """A network whose loss has a gradient that points the wrong way: a sawtooth with an upward trend."""

    class Sawtooth(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total = x.flatten(1).sum(dim=1)
            value = total - slope * torch.remainder(total, 0.05)
            return torch.stack([torch.zeros_like(value), value - 100], dim=1)

    return Sawtooth().eval()


def test_a_gradient_that_points_downhill_shows_in_the_ascent():
    x = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(40, dtype=torch.int64)
    found = replace(outcomes(40, 10, 0), correct=np.ones(40, bool))
    assert ascent(Case(constant_steps(0.0), x, labels, found)).numbers["falling"] < 0.01
    assert ascent(Case(constant_steps(3.0), x, labels, found)).speaks


class Flat(nn.Module):
    """Decides by the sign of a rounded sum: no gradient anywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = (x.flatten(1).sum(dim=1) * 10).round() + 0 * x.flatten(1).sum(dim=1)
        return torch.stack([15 - total, total - 15], dim=1)


def test_vanished_gradients_and_balls_that_should_hold_everything_speak():
    x = torch.full((40, 4), 0.1)
    labels = torch.zeros(40, dtype=torch.int64)
    found = outcomes(40, 10, 0)
    sign = gradients(Case(Flat().eval(), x, labels, found))
    assert sign.speaks
    assert sign.numbers["vanishing"] == 1
    stuck = larger_eps(Case(Flat().eval(), x, labels, found))
    assert stuck.speaks
    assert not larger_eps(case(trained(None), 40, outcomes(40, 10, 0))).speaks


def test_one_step_that_beats_many_speaks():
    hidden = outcomes(60, 0, 0)
    assert one_step(case(trained(None), 60, hidden)).speaks  # its one step breaks about half, the others none
    assert not one_step(case(trained(None), 60, outcomes(60, 60, 0))).speaks


def test_the_radii_end_where_the_ball_holds_the_box():
    assert _radii(Threat(0.3), 5) == pytest.approx([0.3, 0.6, 1.0])
    assert _radii(Threat(1.0, "l2", -1.0, 1.0), 9)[-1] == pytest.approx(6.0)


def test_signs_of_single_gradients_need_images_and_attacks_do_not():
    def sign(speaks: bool, decisive: bool) -> Evidence:
        return Evidence("x", speaks, "", {}, decisive)

    assert verdict((sign(False, True),), 1000) == "no sign of masking"
    assert verdict((sign(False, True), sign(True, False)), 1000) == "masked"
    assert verdict((sign(True, False),), 5) == "not enough images to tell"
    assert verdict((sign(True, True),), 15) == "masked"


@pytest.mark.parametrize(
    ("count", "n", "verdict_"),
    [(0, 97, "no sign of masking"), (2, 444, "no sign of masking"), (4, 97, "not enough images to tell")],
)
def test_images_do_not_suffice_while_the_share_that_gradients_missed_is_in_doubt(count, n, verdict_):
    p = binomial_tail(count, n, TOLERATED)
    sign = Evidence("missed", p < LEVEL, "", {"missed": float(count), "p": p})
    assert enough(n)
    assert verdict((sign,), n) == verdict_


def test_where_eps_is_larger_than_the_box_signs_of_gradients_are_those_of_the_whole_box():
    """Steps and neighbours are shares of ε; 80 % of the box away even a network with ReLU has other gradients."""
    x, labels = images(40)
    for threat, whole in ((Threat(8.0), 1.0), (Threat(80.0, "l2"), 8.0)):
        found = evaluated(trained(0.05), x, labels, threat, (Pgd(step=0.1, steps=3),))
        assert Case(trained(0.05), x, labels, found).threat == replace(threat, eps=whole)
    near = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.1, steps=3),))
    assert Case(trained(0.05), x, labels, near).threat == THREAT


def test_enough_images_are_some_dozens():
    assert not enough(0)
    assert not enough(20)
    assert enough(100)
    assert enough(1000)


@pytest.mark.parametrize(("successes", "n", "p"), [(0, 5, 0.3), (3, 9, 0.5), (12, 400, 0.02), (400, 400, 0.9)])
def test_the_binomial_tail_is_scipys(successes, n, p):
    stats = pytest.importorskip("scipy.stats")
    assert binomial_tail(successes, n, p) == pytest.approx(stats.binom.sf(successes - 1, n, p), rel=1e-9)


def test_mcnemar_looks_at_those_that_differ():
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    assert mcnemar(first, second) == 1
    first[:7] = True
    assert mcnemar(first, second) == pytest.approx(2**-7)
    second[50:57] = True
    assert mcnemar(first, second) > 0.5
    both = np.ones(50, bool)
    assert mcnemar(np.concatenate([first, both]), np.concatenate([second, both])) == mcnemar(first, second)


def test_a_diagnosis_needs_an_attack_that_follows_gradients_and_the_same_images():
    x, labels = images(10)
    found = evaluated(trained(None), x, labels, THREAT, (fgsm(), Noise(2)))
    with pytest.raises(ValueError, match="no Pgd of many steps"):
        diagnosed(trained(None), x, labels, found)
    with pytest.raises(ValueError, match="one of 10 images, got 9"):
        diagnosed(trained(None), x[:9], labels[:9], found)


class Constant(nn.Module):
    """The same logits everywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, 1.0]).expand(len(x), 2) + 0 * x.flatten(start_dim=1).sum(dim=1, keepdim=True)


class OneClass(nn.Module):
    """Logits that vary, but always the same class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x.flatten(start_dim=1)[:, :1]
        return torch.cat([first, first + 1 + first**2], dim=1)


def test_a_constant_network_is_called_so_and_not_masked():
    x = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(100, dtype=torch.int64)
    found = evaluated(Constant().eval(), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    masking = diagnosed(Constant().eval(), x, labels, found)
    assert (masking.verdict, masking.evidence, masking.n) == ("constant network", (), 100)


def test_a_network_without_a_second_answer_is_not_masked_because_nothing_changes_its_answer():
    x = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(100, dtype=torch.int64)
    found = evaluated(OneClass().eval(), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    case = Case(OneClass().eval(), x, labels, found)
    assert not case.is_constant
    assert not larger_eps(case).speaks
    assert diagnosed(OneClass().eval(), x, labels, found).verdict == "no sign of masking"


class Dark(nn.Module):
    """Two answers without a gradient: the second class, but the first where the mean lies between two numbers."""

    def __init__(self, least: float) -> None:
        super().__init__()
        self.least = least

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.flatten(start_dim=1).mean(dim=1)
        dark = ((self.least < mean) & (mean < 0.36)).float()
        return 10 * torch.stack([dark, 1 - dark], dim=1) + 0 * mean[:, None]


@pytest.mark.parametrize("least", [0.0, 0.25])  # the ends x − ε have means of 0.2
def test_a_network_that_attacks_have_broken_is_masked_and_not_constant(least):
    """Random points of a box of 100 entries all have means of about 0.5, and the images of 0.4."""
    x = torch.rand(100, 1, 10, 10, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.2
    labels, net = torch.ones(100, dtype=torch.int64), Dark(least).eval()
    found = evaluated(net, x, labels, Threat(0.2), (Pgd(step=0.02, steps=20), Square(300), Noise(3)))
    assert found.named("pgd").robust_accuracy == 1
    assert found.named("square").robust_accuracy < 0.5
    masking = diagnosed(net, x, labels, found)
    assert masking.verdict == "masked"
    assert {sign.name for sign in masking.evidence if sign.speaks} >= {"beaten", "missed", "gradients"}
    unbroken = evaluated(net, x, labels, Threat(0.2), (Pgd(step=0.02, steps=20),))
    assert Case(net, x, labels, unbroken).is_constant is (least > 0)  # the ends tell as much as they can


@pytest.mark.slow
def test_signs_are_looked_for_in_batches_and_no_pass_is_larger():
    x, labels = images(40)
    found = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    sizes: list[int] = []
    handle = trained(0.05).register_forward_hook(lambda _net, args, _out: sizes.append(len(args[0])))
    masking = diagnosed(trained(0.05), x, labels, found, batch=9)
    handle.remove()
    # The judge looks again at all of a batch; the probe of the whole box and the predictions have sizes of their own.
    assert set(sizes) <= {*range(1, 10), ANYWHERE, 40}
    assert sizes.count(40) <= 1
    assert len(masking.evidence) == len(SIGNS)
    falls = {sign.name: sign for sign in masking.evidence}["loss path"].numbers
    whole = ascent(Case(trained(0.05), x, labels, found)).numbers  # from other random starts
    assert falls["falling"] == pytest.approx(whole["falling"], abs=falls["error"] + whole["error"])


def test_when_the_seconds_are_over_no_attack_of_the_diagnosis_begins_and_what_is_left_out_is_said():
    x, labels = images(20)
    found = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    masking = diagnosed(trained(0.05), x, labels, found, seconds=0.0)
    assert masking.verdict == "not enough time to tell"
    assert masking.evidence == ()
    assert masking.left_out == tuple(SIGNS)
    assert diagnosed(trained(0.05), x, labels, found, seconds=1e6).left_out == ()
    with pytest.raises(ValueError, match="seconds must be 0 or more, or None, got -1"):
        diagnosed(trained(0.05), x, labels, found, seconds=-1)


def test_the_names_of_the_signs_are_those_of_their_evidence():
    x, labels = images(20)
    found = evaluated(trained(0.05), x, labels, THREAT, (Pgd(step=0.01, steps=5), Noise(3)))
    assert [sign.name for sign in diagnosed(trained(0.05), x, labels, found).evidence] == list(SIGNS)
