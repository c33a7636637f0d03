"""How a trigger scales, on a virtual clock: no second passes here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from helpers.localaws.triggers.places import Places
from helpers.localaws.triggers.scaling import (
    AWS_MOST,
    IDLE,
    IDLE_S,
    OPENING,
    QUIET_S,
    STEP,
    Limits,
    Observation,
    State,
    ceiling,
    next_state,
)

AWS = Limits(computer=AWS_MOST)
HERE = Limits(computer=40)


def busy(limits: Limits = HERE, invocations: int = 100, failures: int = 0) -> Observation:
    """A second with a backlog, in which every place was taken."""
    return Observation(1.0, True, AWS_MOST, invocations, failures, limits)


def quiet(limits: Limits = HERE, most_busy: int = 0) -> Observation:
    return Observation(1.0, False, most_busy, most_busy, 0, limits)


def allowed_by(state: State, seen: Iterable[Observation]) -> list[int]:
    """How many may run after each observation."""
    found = []
    for each in seen:
        state = next_state(state, each)
        found.append(state.allowed(each.limits))
    return found


def after(state: State, *seen: Observation) -> State:
    for each in seen:
        state = next_state(state, each)
    return state


# -- up ------------------------------------------------------------------------------------


def test_a_trigger_opens_with_five() -> None:
    assert State().allowed(AWS) == 5


def test_a_backlog_adds_five_a_second_up_to_what_the_computer_bears() -> None:
    assert allowed_by(State(), [busy()] * 9) == [10, 15, 20, 25, 30, 35, 40, 40, 40]


def test_aws_reaches_its_most_in_a_little_more_than_four_minutes() -> None:
    found = allowed_by(State(), [busy(AWS)] * 300)
    assert found[59] == 5 + 300
    assert found.index(1250) + 1 == (1250 - 5) / 5 == 249
    assert max(found) == 1250


def test_messages_that_find_a_place_add_none() -> None:
    assert allowed_by(State(), [replace(busy(), backlog=False)] * 5) == [5] * 5


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (Limits(40, maximum=2), 2),
        (Limits(40, maximum=12), 12),
        (Limits(40, maximum=1000), 40),
        (Limits(3), 3),
        (Limits(40, groups=1), 1),
        (Limits(40, groups=7), 7),
        (Limits(40, groups=0), 1),
        (Limits(40, maximum=6, groups=9), 6),
        (Limits(5000), 1250),
    ],
)
def test_the_smallest_limit_counts(limits, most) -> None:
    assert max(allowed_by(State(), [busy(limits)] * 300)) == most
    assert State(places=AWS_MOST).allowed(limits) == most


def test_a_limit_that_is_lower_now_counts_at_once_and_is_climbed_from_later() -> None:
    full = after(State(), *[busy()] * 10)
    limited = next_state(full, busy(Limits(40, maximum=10)))
    assert limited.allowed(HERE) == 10
    assert allowed_by(limited, [busy()] * 2) == [15, 20]


def test_few_groups_of_the_moment_do_not_slow_down_the_next() -> None:
    full = after(State(), *[busy()] * 10)
    few = next_state(full, replace(busy(Limits(40, groups=2)), most_busy=2))
    assert few.allowed(Limits(40, groups=2)) == 2
    assert few.allowed(Limits(40, groups=100)) == 40


# -- down, when it is quiet ----------------------------------------------------------------


def test_two_long_polls_in_vain_and_it_goes_back_to_five() -> None:
    full = after(State(), *[busy()] * 10)
    found = allowed_by(full, [quiet()] * 60)
    assert found[: int(QUIET_S) - 1] == [40] * (int(QUIET_S) - 1)
    assert found[int(QUIET_S) - 1 :][:8] == [35, 30, 25, 20, 15, 10, 5, 5]


def test_places_that_are_needed_are_kept() -> None:
    full = after(State(), *[busy()] * 10)
    assert set(allowed_by(full, [quiet(most_busy=36)] * 600)) == {40}
    assert allowed_by(full, [quiet(most_busy=8)] * 600)[-1] == 10  # the places in use, and a step


def test_a_message_in_between_starts_the_silence_anew() -> None:
    full = after(State(), *[busy()] * 10)
    silence = [quiet()] * int(QUIET_S - 1)
    assert set(allowed_by(full, [*silence, busy(), *silence])) == {40}


def test_after_minutes_of_silence_there_are_two_and_then_five_again() -> None:
    found = allowed_by(State(), [quiet()] * int(IDLE_S + 5))
    assert found[int(IDLE_S) - 2 :][:2] == [5, 2]
    idle = after(State(), *[quiet()] * int(IDLE_S))
    assert allowed_by(idle, [busy()] * 3) == [5, 10, 15]


def test_with_a_maximum_there_are_five_also_after_minutes() -> None:
    limits = Limits(40, maximum=30)
    assert set(allowed_by(State(), [quiet(limits)] * 1000)) == {5}


# -- fewer after errors --------------------------------------------------------------------


@pytest.mark.parametrize(("failing", "most"), [(0.01, 25), (0.05, 16), (0.1, 13)])
def test_errors_bring_it_down_to_what_was_measured_on_aws(failing, most) -> None:
    """From 60, as rehanvdm.com saw it; half of one more or less is the fit's."""
    seen = [busy(AWS, 1000, round(1000 * failing))] * 120
    found = allowed_by(State(places=60), seen)
    assert all(0 <= before - later <= STEP for before, later in pairwise(found))
    assert abs(found[-1] - most) <= 1


def test_a_function_that_always_fails_hardly_grows_and_never_has_fewer_than_five() -> None:
    assert set(allowed_by(State(), [busy(AWS, 10, 10)] * 60)) == {7}


def test_it_recovers_by_five_a_second_when_errors_stop() -> None:
    low = after(State(), *[busy(HERE, 1000, 100)] * 30)
    assert low.allowed(HERE) == 13
    found = allowed_by(low, [busy(HERE, 1000)] * 90)
    assert found == sorted(found)
    assert max(later - before for before, later in pairwise(found)) <= STEP
    assert found[-1] == 40


def test_throttles_hold_it_near_what_may_run() -> None:
    """A reserved concurrency of ten: whoever is over it is throttled once a second."""
    state, found = State(), []
    for _ in range(120):
        over = max(0, state.allowed(HERE) - 10)
        state = next_state(state, busy(HERE, 50 + over, over))
        found.append(state.allowed(HERE))
    assert all(10 <= each <= 20 for each in found[10:])


# -- always --------------------------------------------------------------------------------

all_limits = some.builds(
    Limits,
    some.integers(1, 2000),
    some.none() | some.integers(2, 1000),
    some.none() | some.integers(0, 2000),
)
numbers = some.tuples(some.integers(0, 5000), some.integers(0, 5000)).map(sorted)
observations = some.builds(
    lambda seconds, backlog, most, counts, limits: Observation(
        seconds, backlog, most, counts[1], counts[0], limits
    ),
    some.floats(0, 400),
    some.booleans(),
    some.integers(0, 1500),
    numbers,
    all_limits,
)
histories = some.lists(observations, max_size=40)


@given(histories, all_limits)
def test_never_above_a_limit_and_never_below_one(history, limits) -> None:
    state = after(State(), *history)
    for each in [limits, *(seen.limits for seen in history[-1:])]:
        allowed = state.allowed(each)
        assert 1 <= allowed <= each.computer
        assert allowed <= AWS_MOST
        assert each.maximum is None or allowed <= each.maximum
        assert each.groups is None or allowed <= max(1, each.groups)


@given(histories)
def test_never_below_five_but_for_a_limit_or_a_long_silence(history) -> None:
    state, longest, smallest = State(), 0.0, AWS_MOST
    for seen in history:
        state = next_state(state, seen)
        longest, smallest = max(longest, state.quiet_s), min(smallest, seen.limits.lasting)
    least = IDLE if longest >= IDLE_S else OPENING
    assert state.places >= min(least, smallest)
    assert 0 <= state.failing <= 1


@given(histories, observations)
def test_one_observation_changes_it_by_one_step_at_most(history, seen) -> None:
    before = after(State(), *history)
    later = next_state(before, seen)
    assert later.places - before.places <= STEP
    within = min(before.places, seen.limits.lasting)
    assert within - later.places <= STEP or later.places == IDLE


@given(histories, observations, some.integers(0, 5000))
@example(
    [busy(Limits(computer=8), invocations=0)],
    replace(quiet(Limits(computer=8)), seconds=QUIET_S, invocations=1),
    1,
)
def test_more_errors_never_mean_more_places(history, seen, failures) -> None:
    before = after(State(), *history)
    few, many = sorted((seen.failures, min(failures, seen.invocations)))
    with_few, with_many = (
        next_state(before, replace(seen, failures=number)) for number in (few, many)
    )
    assert with_many.places <= with_few.places


@given(some.floats(0, 1), some.floats(0, 1))
def test_the_ceiling_falls_with_the_share_of_errors(one, other) -> None:
    low, high = sorted((one, other))
    assert OPENING <= ceiling(high) <= ceiling(low) <= AWS_MOST


@given(histories)
def test_what_was_long_ago_is_forgotten(history) -> None:
    state = after(State(), *history, replace(quiet(), seconds=1e6))
    assert math.isclose(state.invocations + state.failures, 0, abs_tol=1e-9)


# -- with a clock --------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def taken_until_full(places: Places, clock: Clock, seconds: list[float]) -> list[int]:
    """How many places were taken at each of these times, when all that are free are taken."""
    began, found, taken = clock.now, [], 0
    for second in seconds:
        clock.now = began + second
        while places.wait_for_one(0):
            places.take()
            taken += 1
        found.append(taken)
    return found


def test_the_second_begins_with_the_burst() -> None:
    clock = Clock()
    places = Places(lambda: HERE, lambda: True, clock)
    for _ in range(7):  # nothing comes; looked at the clock somewhere within each second
        clock.now += 0.7
        assert places.wait_for_one(0)
    found = taken_until_full(places, clock, [0, 0.5, 0.99, 1.0, 1.9, 2.01, 3.5, 5.0])
    assert found == [5, 5, 5, 10, 10, 15, 20, 25]


def test_without_messages_that_wait_nothing_is_added() -> None:
    clock = Clock()
    places = Places(lambda: HERE, lambda: False, clock)
    assert taken_until_full(places, clock, [0, 1, 2, 3, 4]) == [5] * 5


def test_a_place_that_was_left_can_be_taken_and_a_limit_may_change() -> None:
    clock, limits = Clock(), [Limits(40, maximum=3)]
    places = Places(lambda: limits[0], lambda: True, clock)
    taken = [places.take() for _ in range(3)]
    assert not places.wait_for_one(0)
    places.leave(taken[0])
    assert places.wait_for_one(0)
    limits[0] = Limits(40, maximum=2)
    assert not places.wait_for_one(0)


def test_a_trickle_is_looked_at_too() -> None:
    """Each message is the first of a burst, and the errors of all of them count."""
    clock = Clock()
    places = Places(lambda: HERE, lambda: False, clock)
    for _ in range(30):
        place = places.take()
        places.count(failed=True)
        places.leave(place)
        clock.now += 0.5
        assert places.wait_for_one(0)
    assert places._state.failing == 1


def test_a_trigger_that_was_off_begins_anew() -> None:
    clock = Clock()
    places = Places(lambda: HERE, lambda: True, clock)
    assert taken_until_full(places, clock, [0, 1, 2])[-1] == 15
    places.count(failed=True)
    places.begin_anew()
    assert places._state == State()
    clock.now += 1
    assert not places.wait_for_one(0)
    assert places._state.failing == 0


def test_a_backlog_wakes_whoever_waits_for_a_place() -> None:
    places = Places(lambda: HERE, lambda: True)
    for _ in range(5):
        places.take()
    assert places.wait_for_one(None)
