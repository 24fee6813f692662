"""foolbox's attacks run in our threat, count what they ask, and disturb nothing."""

import subprocess
import sys
import threading

import pytest
import torch
from attacked_networks import Counting, generator, images, right, trained
from some_networks import unchecked
from source_rules import ROOT
from torch import nn

from kwta.attacks.foreign import CarliniWagner, DeepFool
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.judge import judged
from kwta.attacks.propose import propose
from kwta.threats import Threat

SPECS = (DeepFool(steps=8), CarliniWagner(steps=20, bisections=3), HopSkipJump(steps=2, samples=20))
THREATS = (Threat(0.1), Threat(1.0, "l2"), Threat(0.3, "l2", -1.0, 2.0))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_proposals_lie_in_ball_and_box_and_passes_are_counted(spec, threat):
    net = Counting(trained(0.05))
    x, labels = images(12)
    proposal = propose(spec, net, x, labels, threat, generator())
    assert threat.contains(proposal.x, x, 1e-6).all()
    assert int(proposal.queries.sum()) == net.seen[0]
    assert int(proposal.backwards.sum()) == net.tracked[0]
    assert (net.tracked[0] == 0) == isinstance(spec, HopSkipJump)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_seed_fixes_the_proposals_and_the_global_generator_is_left_alone(spec):
    net, (x, labels) = trained(None), images(12)
    state = torch.get_rng_state()
    first = propose(spec, net, x, labels, Threat(0.1), generator())
    torch.rand(7, generator=generator())
    again = propose(spec, net, x, labels, Threat(0.1), generator())
    assert torch.equal(first.x, again.x)
    assert torch.equal(torch.get_rng_state(), state)


def test_other_threads_keep_their_draws_and_their_weights_get_no_gradients():
    net, (x, labels) = trained(None), images(12)
    drawn: list[torch.Tensor] = []
    attack = threading.Thread(target=lambda: propose(SPECS[2], net, x, labels, Threat(0.1), generator()))
    state = torch.get_rng_state()
    expected = [torch.rand(3) for _ in range(100)]
    torch.set_rng_state(state)
    attack.start()
    drawn = [torch.rand(3) for _ in range(100)]
    attack.join()
    assert all(torch.equal(a, b) for a, b in zip(drawn, expected, strict=True))
    net.zero_grad()  # what training left
    propose(SPECS[0], net, x, labels, Threat(0.1), generator())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_on_a_linear_network_deepfool_finds_the_nearest_border():
    """L2: the margin over ‖w_y − w_j‖; with a ball a little larger it succeeds, with one a little smaller it cannot."""
    net = nn.Linear(4, 2).eval()
    x = torch.full((1, 4), 0.5)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]]))
        net.bias.copy_(torch.tensor([-1.0, 0.0]))
    labels = net(x).argmax(dim=1)
    net.requires_grad_(False)
    nearest = float((net(x)[0, 0] - net(x)[0, 1]).abs() / (net.weight[0] - net.weight[1]).norm())
    for factor, fooled in ((1.05, True), (0.95, False)):
        threat = Threat(factor * nearest, "l2")
        proposal = propose(DeepFool(), net, x, labels, threat, generator())
        assert bool(judged(net, x, labels, proposal.x, threat).fooled[0]) is fooled


@pytest.mark.slow
def test_hop_skip_jump_comes_near_the_nearest_border_of_a_linear_network_in_any_batch():
    """The estimate of foolbox itself depends on the batch; in one of 16 its L2 attack would hardly move."""
    net = nn.Linear(16, 2).eval()
    with torch.no_grad():  # the border runs through the middle of the box
        net.weight.copy_(torch.randn(2, 16, generator=generator(1)))
        net.bias.copy_(-net.weight.sum(dim=1) / 2)
    x = torch.rand(16, 16, generator=generator(3)) * 0.4 + 0.3
    labels = net(x).argmax(dim=1)
    weight = (net.weight[0] - net.weight[1]).detach()
    nearest = (net(x)[:, 0] - net(x)[:, 1]).abs() / weight.norm()
    wide = Threat(10.0, "l2")
    proposal = propose(HopSkipJump(steps=6, samples=60), net, x, labels, wide, generator())
    assert judged(net, x, labels, proposal.x, wide).fooled.all()
    assert (wide.distance(proposal.x, x) <= 1.2 * nearest + 1e-4).float().mean() > 0.9


@pytest.mark.slow
def test_attacks_of_least_norm_agree_on_relu_in_l2():
    net = trained(None)
    x, labels = right(net, 20)
    threat = Threat(0.6, "l2")
    specs = (DeepFool(), CarliniWagner(), HopSkipJump())
    broken = [
        judged(net, x, labels, propose(spec, net, x, labels, threat, generator()).x, threat).fooled for spec in specs
    ]
    shares = [float(fooled.float().mean()) for fooled in broken]
    assert max(shares) - min(shares) < 0.2
    assert min(shares) > 0.2


def test_where_nothing_can_be_found_the_input_stays():
    class Always(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([1 + 0 * x[:, 0], 0 * x[:, 0]], dim=1)

    x = torch.rand(3, 5, generator=generator())
    labels = torch.zeros(3, dtype=torch.int64)
    for spec in SPECS:
        proposal = propose(spec, Always().eval(), x, labels, Threat(0.2, "linf", -1.0, 1.0), generator())
        assert not judged(Always().eval(), x, labels, proposal.x, Threat(0.2, "linf", -1.0, 1.0)).fooled.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: DeepFool(steps=0),
        lambda: DeepFool(candidates=1),
        lambda: CarliniWagner(steps=0),
        lambda: CarliniWagner(rate=0.0),
        lambda: HopSkipJump(samples=0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make):
    with unchecked(), pytest.raises(ValueError, match=r"0|1"):
        make()


def test_foolbox_is_imported_only_when_it_is_used_and_needs_no_git():
    code = (
        "import sys, torch\n"
        "from kwta.attacks.propose import propose\n"
        "from kwta.attacks.evaluate import evaluate\n"
        "assert 'foolbox' not in sys.modules and 'git' not in sys.modules\n"
        "from kwta.attacks.foreign import DeepFool\n"
        "from kwta.threats import Threat\n"
        "net = torch.nn.Linear(2, 2).eval()\n"
        "x = torch.rand(2, 2)\n"
        "propose(DeepFool(2), net, x, net(x).argmax(1), Threat(0.1), torch.Generator())\n"
        "assert 'foolbox' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": "/nonexistent"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
