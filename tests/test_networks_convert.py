"""Conversion of torch networks of all kinds, each against a twin written with k-WTA by hand."""

import copy
from functools import partial

import pytest
import torch
from some_networks import unchecked
from torch import fx, nn
from torch.nn import functional
from torch.nn import functional as F  # noqa: N812

from kwta.activation import KWTA, kwta, winners
from kwta.networks import CNN, MLP, activations, build, gammas_of, hidden, remaining_relus, set_gamma, with_kwta
from kwta.networks.relu_calls import calls_relu

GAMMA = 0.29
ACTS = {"relu": F.relu, "tanh": torch.tanh}


def phi(y: torch.Tensor) -> torch.Tensor:
    """k-WTA by hand, everything after the batch as one vector."""
    return kwta(y.flatten(1), winners(GAMMA, y[0].numel())).reshape(y.shape)


def seeded(module: nn.Module) -> nn.Module:
    """The module in double precision and evaluation mode, all parameters and statistics drawn from one seed."""
    generator = torch.Generator().manual_seed(1)
    for values in module.state_dict().values():
        if values.is_floating_point():
            values.uniform_(0.1, 1, generator=generator)
    return module.double().eval()


def images(n: int = 3, channels: int = 2) -> torch.Tensor:
    return torch.randn(n, channels, 6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


class Block(nn.Module):
    """A residual block with functional ReLUs; `relu` is the function, so that a twin is the same code."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(2), nn.BatchNorm2d(2)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + x)


class BlockTwin(Block):
    def forward(self, x):
        out = phi(self.bn1(self.conv1(x)))
        return phi(self.bn2(self.conv2(out)) + x)


class BasicBlock(Block):
    """As in torchvision: one in-place module used twice."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return self.relu(out)


class Branching(Block):
    """A branch on data and one on the mode: no tracer gets through."""

    def forward(self, x):
        if x.sum() > 0:
            x = torch.relu(self.conv1(x) - 1)
        while x.abs().max() < 50:
            x = self.conv2(x).relu()
        return F.dropout(x, 0.5, self.training)


class BranchingTwin(Block):
    def forward(self, x):
        if x.sum() > 0:
            x = phi(self.conv1(x) - 1)
        while x.abs().max() < 50:
            x = phi(self.conv2(x))
        return F.dropout(x, 0.5, self.training)


class Derived(Block):
    """Nothing of its own, as many subclasses."""

    def forward(self, x):
        return super().forward(x)


class PreActivation(Block):
    """In place and the result ignored: the shortcut sees what was rectified."""

    def forward(self, x):
        x = self.conv1(x)
        F.relu(x, inplace=True)
        y = self.conv2(x)
        y.relu_()
        return x + torch.relu_(y)


class PreActivationTwin(Block):
    def forward(self, x):
        x = phi(self.conv1(x))
        return x + phi(phi(self.conv2(x)))


class IgnoredModule(Block):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.conv1(x)
        self.act(x)
        return self.conv2(x)


class IgnoredModuleTwin(Block):
    def forward(self, x):
        return self.conv2(phi(self.conv1(x)))


def helper(y, act=None):
    return act(y) if act else functional.relu(input=y)


class Hidden(nn.Module):
    """ReLUs behind a helper, an attribute, a partial, a table, a method, a lambda, a class attribute, a plain list."""

    shared = staticmethod(torch.relu)

    def __init__(self, way: str):
        super().__init__()
        self.linear, self.way = nn.Linear(30, 30), way
        self.by = {
            "attribute": F.relu,
            "partial": partial(F.relu, inplace=False),
            "lambda": lambda y: torch.relu(y),
            "list": [nn.ReLU()],
        }.get(way)
        # Each way has a forward of its own, so that finding one does not find the others.
        self.__class__ = type(f"Hidden_{way}", (Hidden,), {"forward": WAYS[way]})

    def rectified(self, y):
        return y.relu()


WAYS = {
    "attribute": lambda self, x: self.by(self.linear(x)),
    "partial": lambda self, x: self.by(self.linear(x)),
    "lambda": lambda self, x: self.by(self.linear(x)),
    "list": lambda self, x: self.by[0](self.linear(x)),
    "helper": lambda self, x: helper(self.linear(x)),
    "table": lambda self, x: ACTS["relu"](self.linear(x)),
    "method": lambda self, x: self.rectified(self.linear(x)),
    "class attribute": lambda self, x: self.shared(self.linear(x)),
    "nested": lambda self, x: [inner for inner in [(lambda y: F.relu(y))(self.linear(x))]][0],  # noqa: C416, RUF015
    "built on the spot": lambda self, x: nn.ReLU()(self.linear(x)),
    "relu6": lambda self, x: F.relu6(self.linear(x)),
    "getattr": lambda self, x: getattr(F, "relu")(self.linear(x)),  # noqa: B009
}


@pytest.mark.parametrize(
    ("original", "twin"),
    [
        (Block, BlockTwin),
        (Derived, BlockTwin),
        (BasicBlock, BlockTwin),
        (Branching, BranchingTwin),
        (PreActivation, PreActivationTwin),
        (IgnoredModule, IgnoredModuleTwin),
    ],
)
def test_a_converted_network_computes_what_its_twin_computes(original, twin):
    net, by_hand = seeded(original()), seeded(twin())
    state, x = copy.deepcopy(net.state_dict()), images()
    before = net(x)
    converted = with_kwta(net, GAMMA)
    assert not torch.equal(before, converted(x))
    assert torch.equal(converted(x), by_hand(x))
    assert remaining_relus(converted, x) == []
    assert torch.equal(net(x), before), "the original has changed"
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), state.values(), strict=True))
    assert converted.state_dict().keys() == state.keys()
    assert isinstance(converted, original)


@pytest.mark.parametrize("original", [Block, BasicBlock, PreActivation])
def test_gradients_flow_through_a_converted_network(original):
    twin = {Block: BlockTwin, BasicBlock: BlockTwin, PreActivation: PreActivationTwin}[original]
    grads = []
    for net in (with_kwta(seeded(original()), GAMMA), seeded(twin())):
        net(images()).square().sum().backward()
        grads.append([values.grad for name, values in net.named_parameters() if name.startswith("conv")])
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(*grads, strict=True))
    assert all(grad.abs().sum() > 0 for grad in grads[0])


@pytest.mark.parametrize("way", WAYS)
def test_a_relu_is_found_wherever_the_code_keeps_it(way):
    net = Hidden(way).double().eval()
    x = torch.randn(4, 30, dtype=torch.float64)
    converted = with_kwta(net, GAMMA)
    assert torch.equal(converted(x), phi(net.linear(x)))
    assert [name for name, _ in hidden(converted)] == ["kwta"]


def test_every_functional_relu_of_a_module_shares_one_k_wta():
    converted = with_kwta(seeded(Block()), GAMMA)
    assert [name for name, _ in hidden(converted)] == ["kwta"]
    assert len(activations(converted, images())) == 2
    set_gamma(converted, 1.0)
    identity = seeded(Block())
    x = images()
    expected = identity.bn2(identity.conv2(identity.bn1(identity.conv1(x)))) + x
    assert torch.equal(converted(x), expected)


def test_nested_and_shared_modules_are_replaced_once():
    shared = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 8), shared, nn.Sequential(nn.Linear(8, 8), nn.ReLU6()), shared)
    converted = with_kwta(net, 0.5)
    assert [name for name, _ in hidden(converted)] == ["1", "2.1", "3"]
    assert converted[1] is converted[3]
    assert converted[1] is not converted[2][1]
    x = torch.randn(3, 4)
    assert torch.equal(converted(x), kwta(kwta(net[2][0](kwta(net[0](x), 4)), 4), 4))
    assert [type(module) for module in net.modules()].count(nn.ReLU) == 1


def test_a_lone_relu_becomes_a_k_wta_layer_in_the_same_mode():
    converted = with_kwta(nn.ReLU().eval(), 0.25)
    assert isinstance(converted, KWTA)
    assert not converted.training
    x = torch.arange(8.0).reshape(1, 8)
    assert converted(x).tolist() == [[0, 0, 0, 0, 0, 0, 6, 7]]


def test_subclasses_that_change_relu_keep_their_change():
    class Plain(nn.ReLU):
        pass

    class Shifted(nn.ReLU):
        def forward(self, input):
            return super().forward(input - 1) + 1

    assert isinstance(with_kwta(nn.Sequential(Plain()), 0.5)[0], KWTA)
    x = torch.tensor([[3.0, -2.0, 5.0, 0.5]])
    converted = with_kwta(nn.Sequential(Shifted()), 0.5)
    assert isinstance(converted[0], Shifted)
    assert converted(x).tolist() == [[3, 1, 5, 1]]


def test_other_activations_stay():
    net = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(), nn.GELU(), nn.PReLU(), nn.Linear(8, 8), nn.ReLU())
    converted = with_kwta(net, 0.5)
    assert [type(module) for module in converted][:4] == [nn.Linear, nn.LeakyReLU, nn.GELU, nn.PReLU]


def test_a_converted_network_can_be_copied_trained_and_moved_in_gamma():
    converted = with_kwta(Block(), 0.5)
    twin = copy.deepcopy(converted)
    set_gamma(converted, 0.25)
    assert (gammas_of(converted), gammas_of(twin)) == ((0.25,), (0.5,))
    x = images().float()
    assert not torch.equal(converted.eval()(x), twin.eval()(x))
    assert remaining_relus(twin, x) == []
    again = with_kwta(nn.Sequential(twin, nn.ReLU()), 0.125)
    assert gammas_of(again) == (0.5, 0.125)


def test_the_training_mode_is_looked_up_when_the_network_runs():
    converted = with_kwta(seeded(Branching()), GAMMA)
    x = images().abs()
    assert torch.equal(converted(x), converted(x))
    converted.train()
    with torch.random.fork_rng():
        assert not torch.equal(converted(x), converted(x))


def test_a_built_network_keeps_its_spec_with_the_new_gamma():
    net = build(MLP((3, 10, 8, 2)), seed=5)
    converted = with_kwta(net, 0.5)
    twin = build(MLP((3, 10, 8, 2), gamma=0.5), seed=5)
    assert (converted.spec, converted.seed) == (twin.spec, 5)
    assert torch.equal(converted(torch.ones(2, 3)), twin(torch.ones(2, 3)))
    assert net.spec == MLP((3, 10, 8, 2))
    mixed = with_kwta(build(CNN((1, 8, 8), (2, 3), 2, gamma=(0.25, None)), seed=0), 0.5)
    assert mixed.spec.gamma == (0.25, 0.5) == gammas_of(mixed)
    with pytest.raises(ValueError, match=r"hidden layer 2: gamma = 0\.1 of 8 units"):
        with_kwta(net, 0.1)


def test_transformer_layers_leave_their_fused_kernel():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, dtype=torch.float64).eval()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    with torch.no_grad():
        found = with_kwta(layer, GAMMA)(x)
        y = layer.norm1(x + layer.self_attn(x, x, x, need_weights=False)[0])
        expected = layer.norm2(y + layer.linear2(phi(layer.linear1(y))))
    torch.testing.assert_close(found, expected)
    assert not calls_relu(nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"))


class Elsewhere(nn.Module):
    """A ReLU that the code does not name."""

    def __init__(self):
        super().__init__()
        self.linear, self.gelu, self.name = nn.Linear(4, 10), nn.GELU(), "relu"

    def forward(self, x):
        return getattr(F, self.name)(self.gelu(self.linear(x)))


def test_what_code_does_not_tell_an_example_does():
    net = nn.Sequential(Elsewhere(), nn.Linear(10, 3))
    x = torch.randn(2, 4)
    with pytest.raises(ValueError, match=r"no ReLU found in Sequential; .* pass an example"):
        with_kwta(net, 0.5)
    assert remaining_relus(net, x) == ["0"]
    converted = with_kwta(net, 0.5, example=x)
    assert remaining_relus(converted, x) == []
    y = F.gelu(net[0].linear(x))
    assert torch.equal(converted(x), net[1](kwta(y, 5)))
    half = with_kwta(nn.Sequential(net, nn.ReLU()), 0.5)
    assert remaining_relus(half, x) == ["0.0"]


class FromC(nn.Module):
    """A ReLU inside a C++ call: the recurrent kernel, not as a module."""

    def forward(self, x):
        W = torch.ones(3, 4)
        return torch.rnn_relu_cell(x, torch.zeros(len(x), 3), W, torch.ones(3, 3))


def test_a_relu_that_no_python_call_makes_is_refused():
    x = torch.randn(2, 4)
    assert remaining_relus(FromC(), x) == [""]
    with pytest.raises(ValueError, match=r"the ReLU in the network \(FromC\) cannot be replaced"):
        with_kwta(FromC(), 0.5, example=x)


def test_remaining_relus_names_modules_in_the_order_met_and_leaves_no_trace():
    net = nn.Sequential(nn.ReLU6(), Block(), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Hardtanh(-1, 1))
    state = copy.deepcopy(net.state_dict())
    assert remaining_relus(net, images().float()) == ["0", "1", "3"]
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), state.values(), strict=True))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())

    class Two(nn.Module):
        def forward(self, a, b):
            return torch.relu(a + b)

    assert remaining_relus(Two(), (torch.ones(1, 2), torch.ones(1, 2))) == [""]


def scripted():
    class Tiny(nn.Module):
        def forward(self, x):
            return torch.relu(x)

    return torch.jit.trace(Tiny(), torch.ones(1, 2))


def patched():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net.forward = lambda x: x
    return net


def compiled():
    net = nn.Sequential(nn.ReLU())
    wrapper = nn.Module()
    wrapper._orig_mod = net
    return wrapper


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.GELU()), "no ReLU found in Sequential"),
        (lambda: with_kwta(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), 0.5), "no ReLU found"),
        (lambda: with_kwta(Block(), 0.5), "no ReLU found in Block"),
        (lambda: nn.Sequential(nn.ReLU(), nn.RNN(2, 2, nonlinearity="relu")), r"1 \(RNN\) computes its ReLU inside"),
        (lambda: nn.RNNCell(2, 2, nonlinearity="relu"), r"the network \(RNNCell\) computes its ReLU inside a fused"),
        (lambda: nn.Sequential(patched(), nn.ReLU()), r"the forward of 0 \(Sequential\) was replaced on the instance"),
        (compiled, r"the network \(Module\) is compiled"),
        (lambda: fx.symbolic_trace(nn.Sequential(Block())), "traced by torch.fx calls ReLU as a function"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(make, match):
    with pytest.raises(ValueError, match=match):
        with_kwta(make(), 0.5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:`torch.jit")
def test_torchscript_is_refused():
    with pytest.raises(ValueError, match=r"0 \(.*\) is TorchScript"):
        with_kwta(nn.Sequential(scripted()), 0.5)


@pytest.mark.parametrize("gamma", [0.0, 1.5, None, "0.5"])
def test_a_gamma_that_is_no_ratio_is_refused(gamma):
    with unchecked(), pytest.raises(ValueError, match="gamma must"):
        with_kwta(nn.ReLU(), gamma)


def test_a_traced_network_of_relu_modules_is_fine():
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU())
    traced = with_kwta(fx.symbolic_trace(net), 0.5)
    x = torch.randn(3, 2)
    assert torch.equal(traced(x), kwta(net[0](x), 4))
    assert torch.equal(copy.deepcopy(traced)(x), kwta(net[0](x), 4))


def test_no_layer_of_torch_is_mistaken_for_one_that_calls_relu():
    layers = [
        nn.Linear(2, 2),
        nn.Conv2d(1, 1, 1),
        nn.BatchNorm2d(1),
        nn.MultiheadAttention(4, 2),
        nn.LSTM(2, 2),
        nn.Embedding(2, 2),
        nn.Sequential(),
        nn.GELU(),
        nn.LeakyReLU(),
        nn.PReLU(),
        nn.Hardswish(),
        nn.Dropout(),
        BasicBlock(),
    ]
    assert [type(layer).__name__ for layer in layers if calls_relu(layer)] == []
    assert calls_relu(nn.TransformerEncoderLayer(4, 2))
