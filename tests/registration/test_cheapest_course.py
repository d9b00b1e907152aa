"""Courses through small tables against all courses there are."""

from itertools import pairwise, product

import numpy as np
import pytest

from coreg.registration.cheapest_course import Moves, cheapest_course

PLACES = Moves(np.array([-1, 0, 2]), np.array([0.3, 0.0, 0.7]))
TURNS = Moves(np.array([-1, 0, 1]), np.array([0.2, 0.1, 0.4]))


def cost_of(course, costs):
    """Cost of a course of (place, turn), infinite where a step is not allowed."""
    turns = costs.shape[2]
    total = sum(cost[state] for cost, state in zip(costs, course, strict=True))
    for (s, a), (t, b) in pairwise(course):
        place = PLACES.price[PLACES.by == t - s]
        turn = TURNS.price[(TURNS.by - (b - a)) % turns == 0]
        total += float(place.min(initial=np.inf) + turn.min(initial=np.inf))
    return total


@pytest.mark.parametrize("seed", range(5))
def test_no_course_is_cheaper(seed):
    costs = np.random.default_rng(seed).uniform(0.0, 1.0, (3, 3, 4))
    place, turn, cost = cheapest_course(costs, places=PLACES, turns=TURNS)
    states = list(product(range(3), range(4)))
    best = min(cost_of(course, costs) for course in product(states, repeat=3))
    found = list(zip(place.tolist(), turn.tolist(), strict=True))
    assert cost == pytest.approx(best)
    assert cost_of(found, costs) == pytest.approx(best)


def test_turns_go_round_and_places_do_not():
    costs = np.ones((2, 3, 3))
    costs[0, 2, 2] = costs[1, 0, 0] = 0.0
    on = Moves(np.array([0, 1]), np.zeros(2))
    _, turn, cost = cheapest_course(costs.min(axis=1, keepdims=True), turns=on)
    assert turn.tolist() == [2, 0]
    assert cost == 0.0
    _, _, cost = cheapest_course(costs.min(axis=2, keepdims=True), places=on)
    assert cost == 1.0


def test_steps_cost_the_square_of_their_distance_from_the_usual_one():
    moves = Moves.quadratic([0, 1, 2], usual=0.5, weight=4.0)
    np.testing.assert_allclose(moves.price, [1.0, 1.0, 9.0])


def test_nothing_has_no_course():
    with pytest.raises(ValueError, match="has no frame"):
        cheapest_course([])
