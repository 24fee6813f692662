"""Supplies: items made in the background as far as somebody asks, at once for who waits, and shared by all."""

import threading
import time
from collections.abc import Iterator
from functools import partial

from app.compute import attack_supply
from app.compute.attack_supply import Haste, Supply

SECONDS = 60


def slow(n: int) -> Iterator[int]:
    for i in range(n):
        time.sleep(0.02)
        yield i


def test_a_supply_makes_no_more_than_is_asked_for():
    made = []

    def numbers():
        for i in range(100):
            made.append(i)
            yield i

    supply = Supply(numbers)
    assert made == []
    supply.want(3)
    supply.wait(3, SECONDS)
    time.sleep(0.05)
    assert supply.items == made == [0, 1, 2]
    supply.want(200)
    supply.wait(200, SECONDS)
    assert supply.items == list(range(100))
    assert supply.is_whole


def test_a_supply_rests_when_nobody_asks_and_goes_on_where_it_was(monkeypatch):
    monkeypatch.setattr(attack_supply, "PATIENCE", 0.1)

    supply = Supply(partial(slow, 40))
    supply.want(40)
    time.sleep(0.5)
    n = len(supply.items)
    assert 0 < n < 20
    monkeypatch.setattr(attack_supply, "PATIENCE", 10.0)
    supply.want(40)
    supply.wait(40, SECONDS)
    assert supply.items == list(range(40))


def test_what_ends_a_supply_is_told():
    def broken():
        yield 1
        raise ValueError("no such thing")

    supply = Supply(broken)
    supply.want(5)
    supply.wait(5, SECONDS)
    assert (supply.items, supply.is_whole, supply.error) == ([1], True, "no such thing")


def test_what_is_in_a_hurry_is_made_at_once_by_who_waits():
    makers = []

    def numbers():
        for i in range(9):
            makers.append(threading.current_thread())
            yield i

    supply = Supply(numbers)
    supply.hurry(2, SECONDS)
    assert supply.items == [0, 1]
    assert set(makers) == {threading.current_thread()}
    supply.hurry(1, SECONDS)
    assert supply.items == [0, 1]
    supply.hurry(99, SECONDS)
    assert supply.items == list(range(9))
    assert supply.is_whole


def test_who_hurries_and_who_makes_in_the_background_make_every_item_once():
    def numbers():
        for i in range(200):
            time.sleep(0.0005)
            yield i

    supply = Supply(numbers)
    supply.want(200)
    supply.hurry(150, SECONDS)
    supply.want(200)
    supply.wait(200, SECONDS)
    assert supply.items == list(range(200))


def test_a_hurry_has_an_end():
    supply = Supply(partial(slow, 100))
    supply.hurry(100, 0.1)
    assert 0 < len(supply.items) < 20


def test_while_somebody_waits_nothing_else_is_begun(monkeypatch):
    monkeypatch.setattr(attack_supply, "LONGEST", SECONDS)
    supply = Supply(lambda: iter(range(5)))
    with Haste():
        with Haste():
            supply.want(5)
        time.sleep(0.1)
        assert supply.items == []
    supply.wait(5, SECONDS)
    assert supply.items == list(range(5))


def test_in_a_full_hall_somebody_always_waits_and_all_goes_on(monkeypatch):
    monkeypatch.setattr(attack_supply, "LONGEST", 0.1)
    supply = Supply(lambda: iter(range(50)))
    with Haste():
        supply.want(50)
        supply.wait(50, SECONDS)  # not 50 times as long
        assert supply.items == list(range(50))


def test_what_nobody_looks_at_any_more_is_let_go_until_somebody_asks_again():
    gate = threading.Semaphore(0)

    def numbers():
        for i in range(20):
            gate.acquire()
            yield i

    supplies = [Supply(numbers, name) for name in ("seen", "left", "")]
    for supply in supplies:
        supply.want(20)
    attack_supply.let_go({"left", ""})
    for _ in range(60):
        gate.release()
    supplies[0].wait(20, SECONDS)
    supplies[2].wait(20, SECONDS)
    assert [len(supplies[i].items) for i in (0, 2)] == [20, 20]
    assert len(supplies[1].items) <= 1  # it may have been begun already
    supplies[1].want(20)
    supplies[1].wait(20, SECONDS)
    assert supplies[1].items == list(range(20))
