import itertools

import numpy as np

from coreg.segmentation.surface import lowest, total_cost


def test_along_the_pullback_the_cost_is_that_of_the_best_path_through_each_place():
    cost = np.random.default_rng(4).uniform(0.0, 1.0, (5, 1, 6)).astype(np.float32)
    step, most = 0.2, 0.5
    total = total_cost(cost, around=(0.0, 0.0), along=(step, most))

    def price(path):
        moves = sum(min(step * abs(a - b), most) for a, b in itertools.pairwise(path))
        return sum(cost[i, 0, r] for i, r in enumerate(path)) + moves

    best = np.full((5, 6), np.inf)
    for path in itertools.product(range(6), repeat=5):
        value = price(path)
        for i, r in enumerate(path):
            best[i, r] = min(best[i, r], value)
    found = total[:, 0] - total[:, 0].min(axis=1, keepdims=True)
    assert np.allclose(found, best - best.min(axis=1, keepdims=True), atol=1e-5)


def test_a_smooth_surface_is_found_in_noise_where_each_ray_alone_fails():
    rng = np.random.default_rng(1)
    angle = 2.0 * np.pi * np.arange(64) / 64
    truth = 30.0 + 10.0 * np.cos(angle)[None] + 0.1 * np.arange(40)[:, None]
    cost = rng.normal(0.0, 1.0, (40, 64, 60)).astype(np.float32)
    place = np.arange(60)
    cost -= 2.2 * np.exp(-(((place - truth[..., None]) / 1.5) ** 2)).astype(np.float32)
    alone = np.abs(cost.argmin(axis=2) - truth)
    found = np.abs(lowest(total_cost(cost, around=(0.5, 4.0), along=(0.5, 4.0))) - truth)
    assert np.percentile(alone, 90) > 10.0
    assert np.percentile(found, 90) < 1.5


def test_the_circle_has_no_seam():
    cost = np.random.default_rng(2).uniform(0.0, 1.0, (3, 48, 20)).astype(np.float32)
    whole = total_cost(cost, around=(0.1, 0.6), along=(0.1, 0.6))
    turned = total_cost(np.roll(cost, 17, axis=1), around=(0.1, 0.6), along=(0.1, 0.6))
    best = np.roll(turned, -17, axis=1).argmin(axis=2)
    assert (best == whole.argmin(axis=2)).mean() > 0.99


def test_the_minimum_is_found_between_samples():
    place = np.arange(20, dtype=np.float64)
    cost = ((place - 7.3) ** 2).astype(np.float32)[None, None]
    assert abs(lowest(cost)[0, 0] - 7.3) < 1e-4
