import warnings

import numpy as np
import pytest
from scipy import stats

from coreg.validation.cluster_bootstrap import cluster_means, mean_interval, median_interval, share_within
from coreg.validation.cohort_statistics import (
    holm,
    paired_difference,
    paired_hedges_g,
    signed_rank,
    summary,
)


def test_summary_is_of_sizes_and_bias_of_signed_errors():
    error = np.array([-4.0, 1.0, 2.0, np.nan, 3.0])
    found = summary(error, ["a", "a", "b", "c", "b"])
    size = np.array([4.0, 1.0, 2.0, 3.0])
    assert (found.mean, found.median, found.worst) == (2.5, 2.5, 4.0)
    assert found.sd == pytest.approx(np.sqrt(5.0 / 3.0))
    assert (found.quartile_3 - found.quartile_1) == pytest.approx(stats.iqr(size))
    assert found.percentile_95 == pytest.approx(stats.scoreatpercentile(size, 95.0))
    assert found.bias == 0.5
    assert (found.values, found.clusters, found.missing) == (4, 2, 1)


def test_nothing_measured_gives_no_numbers_and_no_warning():
    found = summary([np.nan, np.nan], ["a", "b"])
    assert (found.values, found.clusters, found.missing) == (0, 0, 2)
    assert np.isnan([found.mean, found.sd, found.median, found.worst, found.bias]).all()
    assert np.isnan(mean_interval([np.nan], ["a"], seed=0).estimate)
    assert np.isnan(paired_difference([np.nan], [1.0], ["a"], seed=0).p_value)


def test_interval_of_one_value_per_cluster_is_that_of_scipy():
    values = np.random.default_rng(5).gamma(1.5, 0.4, 25)
    found = mean_interval(values, np.arange(25), seed=11)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="BCa", random_state=np.random.default_rng(11), batch=2000
    )
    # Both draw indices in the same way, so only rounding differs.
    np.testing.assert_allclose([found.low, found.high], theirs.confidence_interval, rtol=1e-9)
    assert found.estimate == pytest.approx(values.mean())


def test_interval_of_the_effect_size_is_that_of_scipy():
    rng = np.random.default_rng(6)
    first, second = rng.gamma(2.0, 0.2, 20), rng.gamma(2.0, 0.3, 20)
    found = paired_difference(first, second, np.arange(20), seed=3).effect

    def effect(d, axis):
        return (1.0 - 3.0 / 75.0) * d.mean(axis=axis) / d.std(axis=axis, ddof=1)

    theirs = stats.bootstrap(
        (first - second,),
        effect,
        n_resamples=2000,
        method="BCa",
        random_state=np.random.default_rng(3),
        batch=2000,
    )
    np.testing.assert_allclose([found.low, found.high], theirs.confidence_interval, rtol=1e-9)


@pytest.mark.parametrize("count", [12, 25])
def test_interval_of_a_median_of_one_value_per_cluster_is_that_of_scipy(count):
    values = np.random.default_rng(count).gamma(2.0, 1.0, count)
    found = median_interval(values, np.arange(count), seed=11)
    theirs = stats.bootstrap(
        (values,),
        np.median,
        n_resamples=2000,
        method="BCa",
        random_state=np.random.default_rng(11),
        batch=2000,
    )
    np.testing.assert_allclose([found.low, found.high], theirs.confidence_interval, rtol=1e-9)
    assert found.estimate == pytest.approx(np.median(values))


def test_median_is_of_all_values_and_not_of_patients_means():
    values, patients = [5.0, 1.0, np.nan, 2.0, 9.0, 4.0], list("aaabbc")
    assert median_interval(values, patients, seed=0).estimate == np.median([5.0, 1.0, 2.0, 9.0, 4.0])
    assert np.isnan(median_interval([np.nan], ["a"], seed=0).estimate)


def test_normal_errors_are_within_their_standard_deviations_as_often_as_the_normal_law_says():
    rng = np.random.default_rng(3)
    sd = rng.uniform(0.1, 2.0, 20_000)
    error, patients = rng.normal(0.0, sd), np.arange(20_000) // 100
    for times in (1.0, 2.0):
        found = share_within(error, sd, patients, times=times, seed=0)
        expected = stats.norm.cdf(times) - stats.norm.cdf(-times)
        assert found.estimate == pytest.approx(expected, abs=0.01)
        assert found.low < expected < found.high


def test_errors_without_a_standard_deviation_have_no_share():
    found = share_within([0.1, 5.0, np.nan], [1.0, np.nan, 1.0], ["a", "b", "c"], times=1.0, seed=0)
    assert found.estimate == 1.0


def test_repeated_values_of_a_patient_add_no_certainty():
    values = np.random.default_rng(8).normal(1.0, 0.5, 15)
    once = mean_interval(values, np.arange(15), seed=1)
    often = mean_interval(np.repeat(values, 40), np.repeat(np.arange(15), 40), seed=1)
    np.testing.assert_allclose([often.low, often.high], [once.low, once.high], rtol=1e-9)


def _simulated(rng, clusters=30):
    """Values about 1 whose clusters differ more than the values within; sizes vary."""
    sizes = rng.integers(4, 13, clusters)
    name = np.repeat(np.arange(clusters), sizes)
    return 1.0 + rng.normal(0.0, 1.0, clusters)[name] + rng.normal(0.0, 0.5, len(name)), name


def test_clustered_interval_covers_the_true_mean_as_often_as_it_says_and_a_plain_one_does_not():
    rng = np.random.default_rng(2)
    clustered, plain = 0, 0
    for trial in range(300):
        values, name = _simulated(rng)
        found = mean_interval(values, name, seed=trial, resamples=400)
        clustered += found.low <= 1.0 <= found.high
        alone = mean_interval(values, np.arange(len(values)), seed=trial, resamples=100)
        plain += alone.low <= 1.0 <= alone.high
    # 300 trials leave 1.3 % of standard error; with 30 clusters a bootstrap falls a little short.
    assert 0.90 <= clustered / 300 <= 0.98
    assert plain / 300 < 0.75


def test_same_seed_gives_the_same_interval_and_the_order_of_values_does_not_matter():
    values, name = _simulated(np.random.default_rng(4))
    mixed = np.random.default_rng(0).permutation(len(values))
    a, b = mean_interval(values, name, seed=9), mean_interval(values[mixed], name[mixed], seed=9)
    np.testing.assert_allclose([a.low, a.high], [b.low, b.high], rtol=1e-9)


def test_one_cluster_has_a_mean_but_no_interval():
    found = mean_interval([1.0, 2.0], ["a", "a"], seed=0)
    assert found.estimate == 1.5
    assert np.isnan([found.low, found.high]).all()


def test_values_that_are_all_the_same_have_an_interval_of_no_width():
    found = mean_interval(np.full(30, 0.3), np.repeat(np.arange(10), 3), seed=0)
    np.testing.assert_allclose([found.estimate, found.low, found.high], 0.3)


def test_cluster_means_leave_out_what_was_not_measured():
    name, mean = cluster_means([1.0, 3.0, np.nan, 5.0, np.nan], ["b", "b", "b", "a", "c"])
    assert name.tolist() == ["a", "b"]
    np.testing.assert_allclose(mean, [5.0, 2.0])


def test_paired_difference_is_of_means_of_patients():
    # Patients differ by -1 and by +0.5 on average; the second has more landmarks, which must not matter.
    first = np.array([1.0, 2.0, 3.0, 3.0, 3.0])
    second = np.array([2.0, 3.0, 2.0, 3.0, 2.5])
    found = paired_difference(first, second, ["a", "a", "b", "b", "b"], seed=0)
    assert found.difference.estimate == pytest.approx(-0.25)
    assert (found.clusters, found.lower, found.higher) == (2, 1, 1)


def test_exchanged_methods_give_the_opposite_difference():
    rng = np.random.default_rng(12)
    first, second = rng.gamma(2.0, 0.2, 90), rng.gamma(2.0, 0.3, 90)
    name = np.repeat(np.arange(30), 3)
    one = paired_difference(first, second, name, seed=5)
    other = paired_difference(second, first, name, seed=5)
    for a, b in ((one.difference, other.difference), (one.effect, other.effect)):
        np.testing.assert_allclose([a.estimate, a.low, a.high], [-b.estimate, -b.high, -b.low], atol=1e-3)
    assert one.p_value == pytest.approx(other.p_value)


def test_a_place_that_one_method_missed_counts_for_neither():
    found = paired_difference([1.0, np.nan, 2.0], [2.0, 9.0, 4.0], ["a", "a", "b"], seed=0)
    assert found.difference.estimate == pytest.approx(-1.5)


def test_effect_size_is_that_of_a_worked_example():
    # Differences 1 to 5: mean 3, standard deviation sqrt(2.5); Hedges' factor for 5 pairs is 1 - 3/15.
    assert paired_hedges_g(np.arange(1.0, 6.0)) == pytest.approx(0.8 * 3.0 / np.sqrt(2.5))


def test_effect_of_equal_differences_is_not_a_number():
    assert np.isnan(paired_hedges_g(np.full(7, 0.3)))


def test_signed_rank_test_is_that_of_scipy_and_of_the_exact_count():
    d = np.array([0.2, -0.1, 0.5, 0.7, 0.9, 1.1, 0.3])
    # All but the smallest are positive: of 2^7 signs, sums of negative ranks of 0 or 1 are 2, on two sides.
    assert signed_rank(d) == pytest.approx(4.0 / 128.0)
    rng = np.random.default_rng(1)
    many = rng.normal(0.3, 1.0, 60)
    assert signed_rank(many) == pytest.approx(stats.wilcoxon(many).pvalue)


def test_methods_without_any_difference_have_a_p_value_of_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert signed_rank(np.zeros(8)) == 1.0


def test_holm_gives_the_textbook_values():
    # The example of the Holm-Bonferroni method in common use: at 0.05 the first and the last are kept.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_order_never_exceeds_one_and_lies_between_raw_and_bonferroni():
    p = np.random.default_rng(3).uniform(0.0, 1.0, 12)
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p)]) >= 0.0).all()
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(12.0 * p, 1.0) + 1e-12).all()


def test_holm_does_not_count_tests_that_could_not_be_made():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.5]), [0.04, np.nan, 0.5])


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"one shape \(N,\), got \(2,\) and \(3,\)"):
        mean_interval([1.0, 2.0], ["a", "b", "c"], seed=0)
