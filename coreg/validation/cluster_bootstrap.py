"""Confidence intervals for values that come in clusters: many landmarks or frames of each patient.

Values of one patient err together, so patients are resampled, not values: the bias-corrected and
accelerated bootstrap (BCa; Efron, J. Am. Stat. Assoc. 82 (1987) 171-185) with whole clusters (Davison
and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Names = npt.NDArray[np.generic]
Statistic = Callable[[IntArray], FloatArray]

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; NaN where there are too few clusters."""

    estimate: float
    low: float
    high: float


def mean_interval(
    values: npt.ArrayLike,
    cluster: npt.ArrayLike,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Bootstrap interval of a mean over values that come in clusters.

    Parameters
    ----------
    values : (N,) array
        NaN where not measured.
    cluster : (N,) array
        Id of each value's cluster (patient). Whole clusters are drawn, with all their values; a cluster
        with more values has more weight, as it has in the mean.
    seed : int
        Of the draws: the same one gives the same interval.
    resamples : int
        How many cohorts are drawn.
    confidence : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the two arrays differ in length.

    Examples
    --------
    >>> same = mean_interval([1.0, 1.0, 1.0, 1.0], ["a", "a", "b", "c"], seed=0)
    >>> same.low, same.estimate, same.high
    (1.0, 1.0, 1.0)
    """
    total, count = _totals(*checked_clusters(values, cluster))

    def mean_of(drawn: IntArray) -> FloatArray:
        return total[drawn].sum(axis=-1) / count[drawn].sum(axis=-1)

    return bca_interval(mean_of, len(total), seed=seed, resamples=resamples, confidence=confidence)


def median_interval(
    values: npt.ArrayLike,
    cluster: npt.ArrayLike,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Bootstrap interval of the median over values that come in clusters; see `mean_interval`.

    Raises
    ------
    ValueError
        If the two arrays differ in length.

    Examples
    --------
    >>> found = median_interval([1.0, 2.0, 2.0, 7.0], ["a", "a", "b", "c"], seed=0)
    >>> found.estimate
    2.0
    """
    every, names = checked_clusters(values, cluster)
    known = np.isfinite(every)
    order = np.argsort(every[known], kind="stable")
    ranked = every[known][order]
    ids, index = np.unique(names[known][order], return_inverse=True)

    def median_of(drawn: IntArray) -> FloatArray:
        rows = drawn.reshape(-1, drawn.shape[-1])
        times = (np.bincount(row, minlength=len(ids))[index] for row in rows)
        return np.array([_middle(ranked, np.cumsum(each)) for each in times]).reshape(drawn.shape[:-1])

    return bca_interval(median_of, len(ids), seed=seed, resamples=resamples, confidence=confidence)


def _middle(ranked: FloatArray, until: IntArray) -> float:
    """Median of ranked values (N,), each as often as the running total (N,) grows at it."""
    count = int(until[-1])
    low, high = np.searchsorted(until, [(count - 1) // 2, count // 2], side="right")
    return float(0.5 * (ranked[low] + ranked[high]))


def share_within(
    error: npt.ArrayLike, sd: npt.ArrayLike, cluster: npt.ArrayLike, *, times: float, seed: int
) -> Interval:
    """Share of errors that are within so many times their stated standard deviations, with its interval.

    Parameters
    ----------
    error, sd : (N,) arrays
        In one unit; where either is NaN both are left out. Normal errors with right standard deviations
        are within one of them in 68 %, within two in 95 %.
    cluster : (N,) array
        Id of each one's cluster (patient).
    times : float
        How many standard deviations.
    seed : int
        As in `mean_interval`.

    Raises
    ------
    ValueError
        If the arrays differ in length.

    Examples
    --------
    >>> share_within([0.5, -3.0, 1.0], [1.0, 1.0, float("nan")], ["a", "a", "b"], times=1.0, seed=0).estimate
    0.5
    """
    size, names = checked_clusters(error, cluster)
    spread, _ = checked_clusters(sd, cluster)
    known = np.isfinite(size) & np.isfinite(spread)
    within = np.where(known, np.abs(size) <= times * spread, np.nan)
    return mean_interval(within, names, seed=seed)


def cluster_means(values: npt.ArrayLike, cluster: npt.ArrayLike) -> tuple[Names, FloatArray]:
    """Mean of each cluster's values: ids (K,) in order, and means (K,).

    Clusters without a measured value are left out.
    """
    every, names = checked_clusters(values, cluster)
    total, count = _totals(every, names)
    return np.unique(names[np.isfinite(every)]), total / count


def bca_interval(
    statistic: Statistic, count: int, *, seed: int, resamples: int, confidence: float
) -> Interval:
    """Bootstrap interval of any statistic of clusters.

    Parameters
    ----------
    statistic : callable
        Takes indices (..., K) of drawn clusters and gives the statistic of each draw, shape (...). Draws
        of which it is NaN are left out.
    count : int
        How many clusters there are.
    seed, resamples, confidence
        As in `mean_interval`.
    """
    if count < 1:
        return Interval(float("nan"), float("nan"), float("nan"))
    everyone = np.arange(count)
    estimate = float(statistic(everyone))
    if count < 2:
        return Interval(estimate, float("nan"), float("nan"))
    drawn = statistic(np.random.default_rng(seed).integers(0, count, (resamples, count)))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or not np.isfinite(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    without = np.array([np.delete(everyone, k) for k in everyone])
    shift = ndtri(_share_below(drawn, estimate))
    if not np.isfinite(shift):
        # The estimate lies beyond all that was drawn: there is nothing to correct by.
        shift = 0.0
    bend = _acceleration(statistic(without))
    z = shift + ndtri(np.array([0.5 * (1.0 - confidence), 0.5 * (1.0 + confidence)]))
    low, high = np.percentile(drawn, 100.0 * ndtr(shift + z / (1.0 - bend * z)))
    return Interval(estimate, float(low), float(high))


def _share_below(drawn: FloatArray, estimate: float) -> float:
    """Share of the draws below the estimate; ties count half."""
    return float(0.5 * ((drawn < estimate).mean() + (drawn <= estimate).mean()))


def _acceleration(without: FloatArray) -> float:
    """Skewness of the statistic, from its values (K,) without each cluster in turn."""
    away = without.mean() - without
    square = float((away**2).sum())
    return float((away**3).sum()) / (6.0 * square**1.5) if square > 0.0 else 0.0


def checked_clusters(values: npt.ArrayLike, cluster: npt.ArrayLike) -> tuple[FloatArray, Names]:
    """Values and ids as arrays (N,) each.

    Raises
    ------
    ValueError
        If they are not of one length.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(cluster)
    if numbers.ndim != 1 or names.shape != numbers.shape:
        msg = f"values and cluster must have one shape (N,), got {numbers.shape} and {names.shape}"
        raise ValueError(msg)
    return numbers, names


def _totals(values: FloatArray, names: Names) -> tuple[FloatArray, FloatArray]:
    """Sum and number (K,) of the measured values of each cluster that has any."""
    known = np.isfinite(values)
    _, index = np.unique(names[known], return_inverse=True)
    total = np.bincount(index, weights=values[known])
    return np.asarray(total, dtype=np.float64), np.bincount(index).astype(np.float64)
