"""The Robustness view: its job against the library by hand, pause and cancel, words, files, lines, bad links."""

import csv
import io
import json
import time
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.compute import (
    data,
    jump_training,
    recipes,
    robust,
    robust_cost,
    robust_files,
    robust_job,
    robust_names,
    robust_plan,
    robust_snippet,
    robust_trial,
    robust_words,
    trained,
)
from app.compute.threads import one_thread
from app.controls import Setup
from app.plots import robustness as plots
from app.plots import robustness_table
from kwta.attacks import ensembles, masking, signs
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.estimators import Neighbours
from kwta.attacks.evaluate import evaluated, names
from kwta.attacks.gradient import Pgd, fgsm
from kwta.attacks.interval import wilson
from kwta.attacks.masking import Masking
from kwta.attacks.outcomes import Outcome, Robustness
from kwta.attacks.signs import Evidence
from kwta.attacks.square import Square
from kwta.attacks.training import objective
from kwta.attacks.transfer import Transfer
from kwta.cli.main import parser
from kwta.cli.options import network as network_options
from kwta.cli.options import training as training_options
from kwta.networks import build
from kwta.threats import Threat
from kwta.training import Adversarial, train

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
MOONS = Setup(data="moons@0.05", net="128", gamma=0.5)
N = 30
# As the library has them: the tests below judge by fewer and shorter ones.
QUICK, SIGNS = ensembles.quick, [*masking.SIGNS]


def tiny(threat: Threat, _d: int) -> tuple:
    """An ensemble of a few steps and queries."""
    climb = Pgd(step=threat.eps / 2, steps=4)
    adaptive = Adaptive(threat.eps / 4, threat.eps / 3, ((2, 4),))
    return fgsm(), climb, Transfer(replace(climb, steps=3)), Square(5), adaptive


@pytest.fixture(scope="module", autouse=True)
def _short():
    """Trainings of two epochs and attacks of a few steps, nothing of which stays in the caches of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained, "SCHEDULE", recipes.schedule(2, 64, "sgd", 0.1, 0.0))
        patch.setattr(ensembles, "quick", tiny)
        patch.setattr(robust_plan, "quick", tiny)
        patch.setattr(robust_cost, "DIAGNOSIS", Pgd(step=1.0, steps=4))
        patch.setattr(masking, "SIGNS", {"one step": signs.one_step, "gradients": signs.gradients})
        forget()
        yield
        forget()


def forget() -> None:
    for cached in (robust_trial.trial, robust_job.job, jump_training.course):
        cached.clear()


def chosen(**more) -> dict:
    usual = {
        "rnorm": "linf", "reps": 0.2, "others": "", "hardened": "plain", "rimages": N, "ensemble": "quick", "rcurve": 0
    }  # fmt: skip
    return usual | more


def question(setup: Setup = MOONS, **more) -> robust_plan.Question:
    return robust_plan.question(setup, chosen(**more))


def finished(asked: robust_plan.Question) -> robust_job.Job:
    """The job of this question, at its end."""
    job, watcher = robust.job(asked), robust_job.Watcher()
    watcher.watch(job)
    job.wait(SECONDS)
    assert job.is_done
    return job


def opened(**link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in ({"data": "moons", "net": "128", "gamma": 0.5, "others": "", "rimages": N} | link).items():
        at.query_params[key] = str(value)
    at.switch_page("views/robustness.py")
    return at.run()


def said(at: AppTest) -> str:
    """All words of the page."""
    blocks = (*at.markdown, *at.caption, *at.warning, *at.info)
    return " ".join(block.value for block in blocks).replace("\\", "")


def tables(at: AppTest) -> list[str]:
    return [body for node in walk(at._tree) if '<table class="robust' in (body := getattr(node.proto, "body", ""))]


def walk(node):
    if not getattr(node, "children", None):
        yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


# What is asked


def test_relu_stands_first_and_all_columns_share_threat_images_and_attacks():
    asked = question(others="0.25,0.5,1", hardened="both")
    assert [column.name for column in asked.columns[:4]] == ["ReLU"] + [f"k-WTA, γ = {g}" for g in ("0.5", "0.25", "1")]
    assert len(asked.columns) == 8
    assert len({(c.threat, c.n, c.attacks, c.seed) for c in asked.columns}) == 1
    assert all(c.recipe.training.adversarial == Adversarial("madry", 0.2, "linf", 7) for c in asked.columns[4:])
    assert all(c.recipe.training.adversarial is None for c in asked.columns[:4])


def test_transfer_comes_from_a_plain_relu_network_that_is_not_the_target():
    for column in question(others="0.25", hardened="both").columns:
        assert column.twin.net.gamma is None
        assert column.twin.training.adversarial is None
        assert column.twin.seed == column.twin.training.seed == (column.recipe.net.gamma is None)


def test_fewer_test_images_than_asked_for_are_all_of_them():
    assert question(rimages=1000).first.n == len(data.data("moons@0.05").x_test)


@pytest.mark.parametrize("text", ["abc", "0", "1.5", "-1", "nan", "0.1;0.2"])
def test_what_is_no_gamma_is_refused_with_the_text(text):
    with pytest.raises(ValueError, match="further γ are numbers above 0 and up to 1"):
        robust_plan.read_gammas(text)


def test_gammas_are_read_once_each_and_not_too_many():
    assert robust_plan.read_gammas(" 0.1, .05,0.1,") == "0.1,0.05"
    assert robust_plan.read_gammas("") == ""
    with pytest.raises(ValueError, match="at most 6"):
        robust_plan.read_gammas("0.1,0.2,0.3,0.4,0.5,0.6,0.7")


@pytest.mark.parametrize("text", ["0", "-1", "9", "x", "inf", ""])
def test_an_absurd_eps_is_refused(text):
    with pytest.raises(ValueError, match=r"ε must be a number from 0\.001 to 1"):
        robust_plan.eps_reader("digits", "linf")(text)


def test_the_usual_eps_of_l2_lies_between_the_ball_inside_and_the_one_around():
    inner = robust_plan.usual_eps("digits", "linf")
    assert inner == 0.1
    assert inner < robust_plan.usual_eps("digits", "l2") < 8 * inner
    assert robust_plan.most_eps("digits", "l2") == 8.0


def test_other_eps_never_leave_the_data_box():
    assert robust_plan.shares(question(reps=0.2)) == robust_plan.SHARES
    assert robust_plan.shares(question(reps=2.0)) == (0.25, 0.5, 1.0)
    assert {part.threat.eps for part in question(rcurve=1).parts} == {0.05, 0.1, 0.2, 0.3, 0.4}


# The job


def by_hand(column: robust_plan.Asked) -> Robustness:
    """The networks trained and attacked without job, slices and caches."""
    known = data.data(column.recipe.data)

    def fitted(recipe):
        net, plan = build(recipe.net, recipe.seed), recipe.training
        for _ in train(net, known, plan, device="cpu", objective=objective(plan.adversarial, known.box)):
            pass
        return net.eval()

    x, labels = torch.tensor(known.x_test[: column.n]), torch.tensor(known.labels_test[: column.n])
    with one_thread():
        net, twin = fitted(column.recipe), fitted(column.twin)
    return evaluated(net, x, labels, column.threat, column.attacks, 0, twin, batch=robust_cost.BATCH)


def test_the_table_is_what_the_library_finds():
    job = finished(question(hardened="both"))
    table = robust.table(job)
    for place in (1, 3):  # k-WTA, plain and adversarial
        expected = by_hand(job.asked.columns[place])
        column = [row.cells[place] for row in table.rows]
        shares = [expected.accuracy, *(o.robust_accuracy for o in expected.attacks), expected.worst_case]
        np.testing.assert_allclose([cell.share for cell in column[:-1]], 100 * np.array(shares), atol=100 / N + 1e-9)
        right = round(column[-2].share * N / 100)
        assert (column[-2].low, column[-2].high) == pytest.approx([100 * bound for bound in wilson(right, N)])
        assert column[-1].note in robust.VERDICTS.values()
    assert [row.label for row in table.rows[1:-2]] == ["FGSM", "PGD", "Transfer from ReLU", "Square", "Adaptive"]
    assert f"the same {N} test images" in table.caption


def test_the_share_grows_to_one_and_the_table_fills_attack_by_attack():
    job = robust.job(question(replace(MOONS, seed=3)))
    shares, filled = [job.share], []
    while not job.is_done:
        job.current.advance()
        shares.append(job.share)
        filled.append(sum(cell.share is not None for row in robust.table(job).rows for cell in row.cells))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(a <= b + 1e-9 for a, b in pairwise(shares))
    assert filled == sorted(filled)
    assert len(set(filled)) > 6


def test_a_job_goes_on_only_while_somebody_watches(monkeypatch):
    monkeypatch.setattr(robust_trial, "SLICE", 0.01)
    job, watcher, other = robust.job(question(replace(MOONS, seed=4))), robust_job.Watcher(), robust_job.Watcher()
    assert job.share == 0
    watcher.watch(job)
    watcher.rest()
    job.wait(SECONDS)
    assert not job.is_done
    rested = job.share
    time.sleep(0.05)
    assert job.share == rested
    monkeypatch.setattr(robust_job, "PATIENCE", 0.0)
    other.watch(job)  # asked once, and never again
    job.wait(SECONDS)
    assert not job.is_done
    monkeypatch.setattr(robust_job, "PATIENCE", 75.0)
    other.watch(job)
    job.wait(SECONDS)
    assert job.is_done


def test_a_session_that_is_gone_does_not_watch(monkeypatch):
    monkeypatch.setattr(robust_job.Job, "_work", lambda _: None)
    job, watcher = robust.job(question(replace(MOONS, seed=5))), robust_job.Watcher()
    watcher.watch(job)
    assert job.is_watched()
    del watcher
    assert not job.is_watched()


def test_a_session_has_one_job():
    first, second = (robust.job(question(replace(MOONS, seed=seed))) for seed in (6, 7))
    watcher = robust_job.Watcher()
    watcher.watch(first)
    watcher.watch(second)
    assert not first.is_watched()
    assert second.is_watched()
    watcher.rest()
    first.wait(SECONDS)
    second.wait(SECONDS)


def test_cancelling_forgets_what_is_not_whole_and_keeps_the_rest():
    asked = question(replace(MOONS, seed=8))
    job, watcher = robust.job(asked), robust_job.Watcher()
    while not job.trials[0].is_done:
        job.trials[0].advance()
    job.trials[1].advance()
    watcher.cancel(job)
    again = robust.job(asked)
    assert again is not job
    assert again.trials[0] is job.trials[0]
    assert again.trials[1] is not job.trials[1]
    assert 0 < again.share < 1


def test_cancelling_does_not_take_the_job_from_others(monkeypatch):
    monkeypatch.setattr(robust_job.Job, "_work", lambda _: None)
    job = robust.job(question(replace(MOONS, seed=9)))
    mine, other = robust_job.Watcher(), robust_job.Watcher()
    mine.watch(job)
    other.watch(job)
    mine.cancel(job)
    assert robust.job(job.asked) is job
    assert job.is_watched()


def test_columns_are_shared_between_questions():
    assert robust.job(question()).trials[0] is robust.job(question(others="0.25")).trials[0]
    assert robust.job(question(rcurve=1)).trials[1] is robust.job(question()).trials[1]


def test_a_training_that_fails_is_told_and_the_others_are_judged(monkeypatch):
    asked = question(replace(MOONS, seed=10))
    course = jump_training.course

    def broken(recipe):
        failed = SimpleNamespace(is_done=True, net=None, error="it diverged", epoch=1, epochs=2)
        return failed if recipe.net.gamma else course(recipe)

    monkeypatch.setattr(jump_training, "course", broken)
    job = finished(asked)
    assert robust_words.failures(job) == ["k-WTA, γ = 0.5: the training failed: it diverged"]
    assert robust.table(job).rows[1].cells[1].note == "failed"
    assert job.trials[0].found is not None


def test_an_estimate_learns_how_slow_this_machine_is():
    pace = robust_cost.Pace(first=2.0)
    assert pace.ratio == 2
    for _ in range(50):
        pace.learn(2.0, 14.0)
    assert pace.ratio == pytest.approx(7, rel=0.05)
    wider, longer = question(replace(MOONS, net="512,512")), question(rimages=120)
    assert robust_cost.whole(question()) < min(map(robust_cost.whole, (wider, longer)))


# What is said


def outcome(name: str, spec, robust_ones: int, n: int) -> Outcome:
    right = np.arange(n) < robust_ones
    passes = np.ones(n, np.int64)
    return Outcome(spec, name, ~right, right, passes, passes, 1.0)


def column(asked: robust_plan.Asked, pgd: int, adaptive: int, verdict: str, n: int = 100) -> SimpleNamespace:
    """A trial that came out like this."""
    _, climb, _, _, free = tiny(asked.threat, 2)
    outcomes = (outcome("pgd", climb, pgd, n), outcome("adaptive", free, adaptive, n))
    rest = np.arange(n) < min(pgd, adaptive)
    found = Robustness(asked.threat, 0, np.ones(n, bool), rest, outcomes)
    evidence = (Evidence("gradients", True, "Cosines are low.", {}, decisive=False),) + (
        (Evidence("beaten", True, "Adaptive broke more.", {}),) if verdict == "masked" else ()
    )
    return SimpleNamespace(
        asked=asked, found=found, masking=Masking(verdict, evidence, n), evidence=list(evidence), error="",
        is_done=True, outcomes={o.name: o for o in outcomes}, skipped={}, under_way=None,
    )  # fmt: skip


def judged(*results: tuple[int, int, str]) -> SimpleNamespace:
    asked = question(others="0.25")
    trials = [column(one, *result) for one, result in zip(asked.columns, results, strict=True)]
    return SimpleNamespace(asked=asked, trials=trials)


def test_the_sentence_is_about_the_network_that_gradients_flatter_most_and_relu():
    told = robust_words.in_words(judged((50, 52, "no sign of masking"), (71, 12, "masked"), (60, 40, "masked")))
    assert told[0] == (
        "**k-WTA, γ = 0.5**: PGD leaves 71.0 % [61, 79] right, the adaptive attack 12.0 % [7, 20], the worst case "
        "12.0 % [7, 20]. Verdict: **masked**, because an attack that does not follow its gradients finds more than all "
        "that do. Adaptive broke more."
    )
    assert told[1].startswith("**ReLU**: PGD leaves 50.0 %")
    assert told[1].endswith("Verdict: **no sign of masking**.")
    assert len(told) == 2


def test_without_masking_the_sentence_gives_no_reason_and_a_k_wta_network_stands_beside_relu():
    told = robust_words.in_words(judged(*[(50, 50, "not enough images to tell")] * 3))
    assert [line.split(":")[0] for line in told] == ["**k-WTA, γ = 0.5**", "**ReLU**"]
    assert all(line.endswith("Verdict: **not enough images to tell**.") for line in told)


def test_where_gradients_flatter_relu_most_it_is_said_once():
    told = robust_words.in_words(judged((50, 40, "masked"), *[(50, 50, "no sign of masking")] * 2))
    assert len(told) == 1
    assert told[0].startswith("**ReLU**")


def test_the_strongest_other_attack_follows_no_gradient_of_the_network_itself():
    asked = question().first
    fgsm_spec, climb, transfer, square, _ = tiny(asked.threat, 2)
    softened = replace(climb, gradient=Neighbours(0.1, 6))
    specs = {"fgsm": fgsm_spec, "pgd": climb, "pgd-neighbours": softened, "transfer": transfer, "square": square}
    left = {"fgsm": 1, "pgd": 2, "pgd-neighbours": 5, "transfer": 9, "square": 7}
    outcomes = tuple(outcome(name, spec, left[name], 10) for name, spec in specs.items())
    found = Robustness(asked.threat, 0, np.ones(10, bool), np.arange(10) < 1, outcomes)
    assert robust_words.strongest(found).name == "pgd-neighbours"
    assert robust.detail(softened) == "4 steps, mean of 6 gradients"


def test_every_attack_and_every_sign_of_the_library_has_a_name_and_plain_words():
    for ensemble in (ensembles.standard, QUICK):
        for name, elsewhere, does in robust_names.key(names(ensemble(Threat(0.1), 64))):
            assert name != elsewhere
            assert does
    assert [*robust_names.SIGNS] == SIGNS
    assert all(plain.question.endswith("?") for plain in robust_names.SIGNS.values())
    assert robust_names.label("square-2") == "Square 2"


def test_evidence_names_attacks_as_the_table_does():
    before = "Of 9 images pgd-neighbours broke 3 more than pgd; pgd-margin-2, square, pgdx, a-pgd"
    after = robust_names.in_table_words(before, ["pgd", "square", "pgd-neighbours", "pgd-margin-2"])
    assert after == (
        "Of 9 images Softened PGD (pgd-neighbours) broke 3 more than PGD; "
        "PGD on the margin 2 (pgd-margin-2), Square, pgdx, a-pgd"
    )
    assert robust_names.in_table_words(before, []) == before
    job = judged(*[(71, 12, "masked")] * 3)
    job.trials[0].evidence.append(Evidence("beaten", True, "Here adaptive broke more.", {}))
    first = robust_words.verdicts(job)[0]
    assert first.verdict == "masked"
    assert [sign.is_seen for sign in first.signs] == [True, True, True]
    assert first.signs[0].question == robust_names.SIGNS["gradients"].question
    assert first.signs[2].detail == "Here Adaptive broke more."


def test_the_button_says_whether_it_was_begun_here_or_is_known_from_elsewhere():
    asked = question(replace(MOONS, seed=14))
    job = robust.job(asked)
    assert robust_words.begin(job, True) == robust_words.begin(job, False) == "Judge these networks"
    job.trials[0].advance()
    assert "of the work is done already; measuring the rest takes" in robust_words.plan(job)
    while not job.trials[0].is_done:
        job.trials[0].advance()
    assert robust_words.begin(job, True) == "Go on"
    wider = robust.job(question(replace(MOONS, seed=14), others="0.25", rcurve=1))
    assert robust_words.begin(wider, False) == "Measure the rest"
    assert robust_words.plan(job).startswith("1 of 2 columns is known already; measuring the rest takes up to ")
    assert robust_words.plan(wider).startswith("1 of 15 parts is known already; ")


def test_the_table_marks_the_attack_that_leaves_fewest():
    rows = {row.label: row.cells for row in robust.table(judged(*[(50, 40, "masked")] * 3)).rows}
    assert rows["Adaptive"][0].lowest
    assert not rows["PGD"][0].lowest
    assert rows["Masking"][1].note == "⚠ masked"


def test_the_html_holds_every_number_with_its_interval_and_no_markup_of_others():
    cells = (robust.Cell(12.34, 5.0, 20.0, lowest=True), robust.Cell(note="<b>x</b>"))
    row = robust.Row("A & B", "", "attack", cells)
    html = robustness_table.html(robust.Table("on <i>own</i> data", (("ReLU", "plain"), ("γ", "")), (row,)))
    assert "<b>12.3</b> <small>[5, 20]</small>" in html
    assert "left:5.00%;width:15.00%" in html
    assert "<b>x</b>" not in html
    assert "A &amp; B" in html
    assert "<i>own" not in html


# Other ε, files, lines


def test_the_curve_has_clean_accuracy_at_zero_the_table_at_its_eps_and_the_other_radii():
    job = finished(question(rcurve=1))
    found = robust.curves(job)
    table = {row.label: row.cells for row in robust.table(job).rows}
    for place, curve in enumerate(found):
        assert [eps for eps, *_ in curve.pgd] == [0, 0.05, 0.1, 0.2, 0.3, 0.4]
        assert curve.pgd[0][1] == curve.worst[0][1] == table["Without attack"][place].share
        assert curve.pgd[3][1] == table["PGD"][place].share
        cell = table["Worst case"][place]
        assert curve.worst[3][1:] == (cell.share, cell.low, cell.high)
        assert all(worst[1] <= pgd[1] for worst, pgd in zip(curve.worst, curve.pgd, strict=True))
        assert curve.worst[-1][1] < curve.worst[0][1]
    figure_of_two_eps(robust.curves(finished(question())))
    assert "Bands" in plots.note(found, N)
    figure = plots.curves(found, "worst", 0.2)
    lines = [trace for trace in figure.data if trace.name]
    assert [tuple(line.y) for line in lines] == [tuple(share for _, share, _, _ in curve.worst) for curve in found]
    bands = [trace for trace in figure.data if not trace.name]
    low, high = [point[2] for point in found[0].worst], [point[3] for point in found[0].worst]
    assert list(bands[0].y) == high + low[::-1]
    assert f"{found[0].pgd[3][1]:.1f} % at ε = 0.2" in plots.in_words(found, "pgd")


def figure_of_two_eps(found: tuple[robust.Curve, ...]) -> None:
    """Two measured ε are drawn as marks with their intervals, and nothing between them."""
    assert [len(curve.pgd) for curve in found] == [2, 2]
    traces = plots.curves(found, "pgd", 0.2).data
    assert [trace.mode for trace in traces] == ["markers", "markers"]
    for trace, curve in zip(traces, found, strict=True):
        for place, (eps, share, low, high) in enumerate(curve.pgd):
            assert trace.x[place] == pytest.approx(eps, abs=0.05 * 0.2)
            assert trace.y[place] == share
            assert share + trace.error_y.array[place] == pytest.approx(high)
            assert share - trace.error_y.arrayminus[place] == pytest.approx(low)
    assert len({trace.x[0] for trace in traces}) == 2
    assert "no lines are drawn" in plots.note(found, N)


def test_the_files_hold_all_results():
    job = finished(question())
    rows = list(csv.DictReader(io.StringIO(robust_files.csv(job))))
    assert len(rows) == 2 * 7
    for one in job.trials:
        mine = {row["attack"]: row for row in rows if row["network"] == one.asked.name}
        assert float(mine["pgd"]["robust_accuracy"]) == one.found.named("pgd").robust_accuracy
        assert float(mine["worst case"]["high"]) == one.found.worst_interval[1]
        assert mine["square"]["verdict"] == one.masking.verdict
    documents = json.loads(robust_files.as_json(job))
    for document, one in zip(documents, job.trials, strict=True):
        assert sum(document["robust"]) == one.found.robust.sum()
        assert document["attacks"]["square"]["broken"] == one.found.named("square").broken.astype(int).tolist()
        assert [sign["sentence"] for sign in document["evidence"]] == [sign.sentence for sign in one.evidence]


def test_the_lines_of_python_print_what_the_page_shows():
    job = finished(question(rimages=8, hardened="both"))
    told = io.StringIO()
    with redirect_stdout(told), one_thread():
        exec(robust_snippet.python(job.asked), {})
    printed = [line for line in told.getvalue().splitlines() if line.startswith("  worst case")]
    expected = [(one.found.worst_case, one.masking.verdict) for one in job.trials]
    assert len(printed) == 4
    for line, (worst, verdict) in zip(printed, expected, strict=True):
        assert line.startswith(f"  worst case {worst:.1%} ")
        assert line.endswith(f"; {verdict}")


@pytest.mark.parametrize(
    ("setup", "norm"), [(Setup(), "l2"), (MOONS, "linf"), (Setup(net="conv 2,4 / 12", seed=5), "linf")]
)
def test_the_command_lines_train_and_attack_the_same_networks(setup, norm, monkeypatch):
    monkeypatch.setattr(trained, "SCHEDULE", recipes.schedule(20, 64, "sgd", 0.1, 0.0))
    asked = question(setup, rnorm=norm, others="0.25", hardened="both", ensemble="standard", rimages=9)
    lines = [line.split()[3:] for line in robust_snippet.command_lines(asked).splitlines()]
    orders = [parser(words).parse_args(words) for words in lines]
    trainings = [order for order in orders if not hasattr(order, "checkpoint")]
    wanted = dict.fromkeys(recipe for one in asked.columns for recipe in (one.twin, one.recipe))
    folders = {}
    for order, recipe in zip(trainings, wanted, strict=True):
        assert training_options.spec(order) == recipe.training
        assert network_options.spec(order, data.data(setup.data)) == recipe.net
        folders[recipe] = order.out
    assert len(set(folders.values())) == len(wanted) == 7
    for order, one in zip(orders[len(trainings) :], asked.columns, strict=True):
        assert (order.checkpoint, order.twin) == (folders[one.recipe], folders[one.twin])
        assert (order.eps, order.norm, order.images, order.seed) == (0.2, norm, 9, setup.seed)
        assert order.thorough


# The page


def test_a_cheap_judgement_begins_by_itself_and_is_shown_at_once_to_the_next():
    at = opened(seed=11)
    assert not at.exception
    assert len(tables(at)) == 1
    finished(question(replace(MOONS, seed=11), reps=robust_plan.usual_eps("moons@0.05", "linf")))
    at = opened(seed=11)
    assert any(block.value.startswith("Done, in") for block in at.caption)
    assert "**ReLU**: PGD leaves" in said(at)
    assert tables(at)[0].count('class="bar"') == 2 * 7


def test_a_costly_judgement_waits_for_its_button_and_says_what_it_takes(monkeypatch):
    monkeypatch.setattr(robust, "CHEAP", 0.0)
    at = opened(seed=12)
    assert f"2 networks are trained, then 5 attacks try {N} test images of each" in said(at)
    assert len(tables(at)) == 1
    at.button(key="robust_start").click().run()
    assert not at.exception
    done = [block for block in at.caption if block.value.startswith("Done")]
    assert done or at.button(key="robust_pause")


def test_pause_and_cancel_hold_the_job(monkeypatch):
    monkeypatch.setattr(robust_job.Job, "_work", lambda _: time.sleep(0.01))
    at = opened(seed=13)
    for key in ("robust_pause", "robust_cancel"):
        at.button(key=key).click().run()
        assert not at.exception
        job = robust.job(question(replace(MOONS, seed=13), reps=robust_plan.usual_eps("moons@0.05", "linf")))
        assert not job.is_watched()
        assert at.button(key="robust_start").label == "Judge these networks"  # nothing was computed yet
        at.button(key="robust_start").click().run()
        assert job.is_watched() or key == "robust_cancel"


def test_going_on_is_for_what_was_begun_here(monkeypatch):
    monkeypatch.setattr(robust, "CHEAP", 0.0)
    eps = robust_plan.usual_eps("moons@0.05", "linf")
    columns = robust.job(question(replace(MOONS, seed=15), reps=eps)).trials
    while not columns[0].is_done:
        columns[0].advance()
    monkeypatch.setattr(robust_job.Job, "_work", lambda _: time.sleep(0.01))
    at = opened(seed=15)
    assert at.button(key="robust_start").label == "Measure the rest"
    assert "1 of 2 columns is known already" in said(at)
    for key, label in (("robust_pause", "Go on"), ("robust_cancel", "Measure the rest")):
        at.button(key="robust_start").click().run()
        at.button(key=key).click().run()
        assert at.button(key="robust_start").label == label


@pytest.mark.parametrize("below", ["about", "verdicts", "curve", "numbers", "python"])
def test_what_is_below_can_be_chosen(below):
    finished(question(reps=robust_plan.usual_eps("moons@0.05", "linf")))
    at = opened(robustness_below=below)
    assert not at.exception
    assert len(at.dataframe) == (below == "numbers")
    assert len(at.code) == 2 * (below == "python")
    answered = f"{robust_names.SIGNS['one step'].question} ✓ **Not clearly.**"
    for words in ("than many steps (paired", answered):
        assert (words in said(at)) == (below == "verdicts")
    assert "pgd-neighbours" in said(at) or below != "about"


def test_other_eps_are_measured_when_asked_for():
    at = opened(robustness_below="curve")
    at.button(key="robust_curve").click().run()
    assert not at.exception
    assert at.session_state["rcurve"] == 1
    at.button(key="robust_less").click().run()
    assert at.session_state["rcurve"] == 0


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"reps": "99"}, "ε must be a number from 0.001 to"),
        ({"reps": "nan"}, "ε must be a number from 0.001 to"),
        ({"rimages": "0"}, "images must be a whole number from 1 to 1000, got '0'"),
        ({"others": "7"}, "further γ are numbers above 0 and up to 1"),
        ({"rnorm": "l7"}, "The norm must be one of linf, l2"),
        ({"ensemble": "all"}, "The attacks must be one of quick, standard"),
        ({"hardened": "1"}, "The training must be one of plain, both"),
    ],
)
def test_an_absurd_link_gives_a_message_and_the_default(link, message):
    at = opened(**link)
    assert not at.exception
    assert len(at.warning) == 1
    assert message.lower() in at.warning[0].value.replace("\\", "").lower()
    assert len(tables(at)) == 1


def test_a_gamma_too_small_for_a_layer_is_refused_with_the_smallest():
    at = opened(net="8", others="0.05")
    assert not at.exception
    assert "choose at least 0.13" in said(at)
    assert not tables(at)


def test_other_data_and_another_norm_have_an_eps_of_their_own():
    at = opened()
    assert at.session_state["reps"] == robust_plan.usual_eps("moons@0.05", "linf")
    at.selectbox(key="rnorm").set_value("l2").run()
    assert at.session_state["reps"] == robust_plan.usual_eps("moons@0.05", "l2")
    at.selectbox(key="data").set_value("xor").run()
    assert at.session_state["reps"] == robust_plan.usual_eps("xor@0.05", "l2")
    assert not at.exception
