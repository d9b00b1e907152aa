"""Errors of a cohort in a few numbers, and two methods compared on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

from coreg.validation.cluster_bootstrap import (
    CONFIDENCE,
    RESAMPLES,
    Interval,
    bca_interval,
    checked_clusters,
    cluster_means,
)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Errors in a few numbers, in the errors' unit.

    Attributes
    ----------
    mean, sd, median, quartile_1, quartile_3, percentile_95, worst : float
        Of the absolute errors; ``sd`` with one degree of freedom less. NaN where there is nothing to
        count.
    bias : float
        Mean of the signed errors.
    values, clusters : int
        How many errors were measured, and of how many clusters.
    missing : int
        Errors that are NaN; they are left out of everything else.
    """

    mean: float
    sd: float
    median: float
    quartile_1: float
    quartile_3: float
    percentile_95: float
    worst: float
    bias: float
    values: int
    clusters: int
    missing: int


@dataclass(frozen=True)
class PairedDifference:
    """Errors of one method minus those of another, on the means of clusters.

    Attributes
    ----------
    difference : Interval
        Mean over the clusters.
    effect : Interval
        Hedges' g for paired values: the mean difference over the differences' standard deviation,
        times ``1 - 3 / (4 K - 5)`` against its bias in K clusters. NaN where all differences are equal.
    p_value : float
        Two-sided Wilcoxon signed-rank test; 1 where all differences are zero.
    clusters : int
        How many have both methods.
    lower, higher : int
        In how many of them the first method's mean is the lower one, and the higher one.
    """

    difference: Interval
    effect: Interval
    p_value: float
    clusters: int
    lower: int
    higher: int


def summary(error: npt.ArrayLike, cluster: npt.ArrayLike) -> Summary:
    """Summarise signed errors.

    Parameters
    ----------
    error : (N,) array
        Signed; NaN where not measured.
    cluster : (N,) array
        Id of each error's cluster (patient), of any type.

    Raises
    ------
    ValueError
        If the two differ in length.

    Examples
    --------
    >>> found = summary([-1.0, 2.0, 3.0], ["a", "a", "b"])
    >>> found.mean, round(found.bias, 3), found.clusters
    (2.0, 1.333, 2)
    """
    every, names = checked_clusters(error, cluster)
    known = np.isfinite(every)
    signed, size = every[known], np.abs(every[known])
    quartile_1, median, quartile_3, high = _percentiles(size, [25.0, 50.0, 75.0, 95.0])
    return Summary(
        mean=_mean(size),
        sd=float(size.std(ddof=1)) if len(size) > 1 else float("nan"),
        median=median,
        quartile_1=quartile_1,
        quartile_3=quartile_3,
        percentile_95=high,
        worst=float(size.max()) if len(size) else float("nan"),
        bias=_mean(signed),
        values=len(signed),
        clusters=len(np.unique(names[known])),
        missing=int((~known).sum()),
    )


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    cluster: npt.ArrayLike,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> PairedDifference:
    """Compare two methods on the same landmarks, frames or cases.

    Parameters
    ----------
    first, second : (N,) arrays
        Absolute errors of the two methods at the same places; where either is NaN both are left out.
    cluster : (N,) array
        Id of each place's cluster (patient).
    seed, resamples, confidence
        As in `mean_interval`.

    Returns
    -------
    PairedDifference
        First minus second: below zero where the first method errs less.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """
    one, _ = checked_clusters(first, cluster)
    other, names = checked_clusters(second, cluster)
    _, d = cluster_means(one - other, names)
    return PairedDifference(
        bca_interval(
            lambda drawn: d[drawn].mean(axis=-1),
            len(d),
            seed=seed,
            resamples=resamples,
            confidence=confidence,
        ),
        bca_interval(
            lambda drawn: paired_hedges_g(d[drawn]),
            len(d),
            seed=seed,
            resamples=resamples,
            confidence=confidence,
        ),
        signed_rank(d),
        len(d),
        int((d < 0.0).sum()),
        int((d > 0.0).sum()),
    )


def paired_hedges_g(difference: FloatArray) -> FloatArray:
    """Mean over standard deviation of differences (..., K), corrected for few of them; shape (...).

    NaN where all differences are equal or there are fewer than three, of which the correction leaves
    nothing. It is the usual approximation, of Hedges, J. Educ. Stat. 6 (1981) 107-128.
    """
    count = difference.shape[-1]
    if count < 3:
        return np.full(difference.shape[:-1], np.nan)
    sd = difference.std(axis=-1, ddof=1)
    spread = np.where(sd > 1e-12 * np.abs(difference).max(axis=-1, initial=0.0), sd, np.nan)
    return np.asarray(difference.mean(axis=-1) / spread * (1.0 - 3.0 / (4.0 * count - 5.0)))


def signed_rank(difference: FloatArray) -> float:
    """P value of Wilcoxon's two-sided signed-rank test of differences (K,); zeros are left out."""
    some = difference[difference != 0.0]
    if len(some):
        return float(wilcoxon(some).pvalue)
    return 1.0 if len(difference) else float("nan")


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjust P values (K,) for their number: Holm, Scand. J. Stat. 6 (1979) 65-70.

    NaN stays NaN and does not count as a test.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    left = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(left * p[order]), 1.0)
    return adjusted


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _percentiles(values: FloatArray, percent: list[float]) -> list[float]:
    if not len(values):
        return [float("nan")] * len(percent)
    return [float(each) for each in np.percentile(values, percent)]
