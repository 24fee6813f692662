"""Work in the background: while somebody asks, one maker at a time, and never with a waiter left behind."""

import threading
import time

import pytest

from app.compute import background
from app.compute.background import Background, Quiet

LONG = 20.0  # seconds for which a test waits where it must not wait at all


@pytest.fixture(autouse=True)
def quiet_is_over(monkeypatch):
    monkeypatch.setattr(Quiet, "until", 0.0)


def test_all_is_made_that_there_is_and_then_the_thread_ends():
    made = []

    def step():
        made.append(len(made))
        return len(made) < 5

    one = Background("one", step)
    one.want()
    one.wait(lambda: False, LONG)
    assert made == [0, 1, 2, 3, 4]
    assert one._thread is None


def test_nothing_is_made_once_nobody_has_asked_for_a_while(monkeypatch):
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    made = []

    def step():
        made.append(0)
        time.sleep(0.01)
        return True

    one = Background("one", step)
    one.want()
    one.wait(lambda: False, LONG)
    n = len(made)
    assert 1 <= n < 100
    time.sleep(0.05)
    assert len(made) == n
    one.want()
    one.wait(lambda: False, LONG)
    assert len(made) > n


def test_who_waits_for_a_thing_hears_of_it_before_the_rest_is_made():
    first, go_on = threading.Event(), threading.Event()

    def step():
        if first.is_set():
            go_on.wait(LONG)
            return False
        with one.changed:
            first.set()
            one.changed.notify_all()
        return True

    one = Background("one", step)
    one.want()
    one.wait(first.is_set, LONG)
    assert first.is_set()
    assert one._thread is not None
    go_on.set()
    one.wait(lambda: False, LONG)


def test_a_wait_ends_with_its_time():
    go_on = threading.Event()
    one = Background("one", lambda: go_on.wait(LONG) and False)
    one.want()
    started = time.monotonic()
    one.wait(lambda: False, 0.02)
    assert 0.01 < time.monotonic() - started < LONG / 2
    go_on.set()
    one.wait(lambda: False, LONG)


def test_a_step_that_breaks_leaves_nobody_waiting_and_can_be_asked_again(monkeypatch):
    told, made = [], []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def step():
        made.append(0)
        if len(made) == 1:
            raise RuntimeError("this step breaks")
        return False

    one = Background("one", step)
    one.want()
    one.wait(lambda: False, LONG)
    one.want()
    one.wait(lambda: False, LONG)
    assert len(made) == 2
    assert [str(one.exc_value) for one in told] == ["this step breaks"]


def test_a_wish_in_the_moment_of_the_end_is_not_lost():
    """Asked while the last step runs, whatever that step then says, the maker steps once more."""
    made = []

    def step():
        made.append(0)
        if len(made) == 1:
            one.want()
        return False

    one = Background("one", step)
    one.want()
    one.wait(lambda: False, LONG)
    assert len(made) == 2


def test_who_waited_long_for_another_maker_makes_nothing_that_nobody_wants_any_more(monkeypatch):
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    made = []
    one = Background("one", lambda: bool(made.append(0)))
    with background.AT_ONCE:
        one.want()
        time.sleep(0.1)
    one.wait(lambda: False, LONG)
    assert made == []


def test_two_makers_are_not_at_work_at_the_same_time():
    at_work, most = [], []

    def step():
        at_work.append(0)
        most.append(len(at_work))
        time.sleep(0.002)
        at_work.pop()
        return len(most) < 20

    makers = [Background(str(i), step) for i in range(3)]
    for one in makers:
        one.want()
    for one in makers:
        one.wait(lambda: False, LONG)
    assert len(most) >= 20
    assert max(most) == 1


def test_nothing_is_made_while_a_click_waits(monkeypatch):
    monkeypatch.setattr(background, "QUIET", 0.1)
    Quiet.begin()
    over = Quiet.until
    moments = []
    one = Background("one", lambda: bool(moments.append(time.monotonic())))
    one.want()
    one.wait(lambda: False, LONG)
    assert moments[0] >= over


def test_many_clicks_do_not_stop_the_background_for_ever(monkeypatch):
    monkeypatch.setattr(background, "LONGEST", 0.05)
    monkeypatch.setattr(Quiet, "until", time.monotonic() + LONG)
    made = []
    one = Background("one", lambda: bool(made.append(0)))
    one.want()
    one.wait(lambda: False, LONG)
    assert made
