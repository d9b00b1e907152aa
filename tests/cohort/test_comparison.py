"""Numbers of a cohort against numpy, scipy and published ones; see also tests/validation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from coreg_cohort import figures
from coreg_cohort.comparison import (
    MEASURES,
    difference_table,
    differences,
    spread,
    spread_table,
    spreads,
    trust_table,
    trusts,
)
from coreg_cohort.measured import read_cohort

MM, FRAMES, DEGREES = MEASURES
# Peak expiratory flow in l/min by large and by mini Wright meter: Bland and Altman, Lancet 1986.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def by_id(values):
    """Errors in mm, and in degrees twenty times as large, of landmarks B0, B1, ..."""
    return {f"B{i}": (float(mm), 20.0 * float(mm)) for i, mm in enumerate(values)}


@pytest.fixture(scope="module")
def patients(made_cohort):
    """Twelve patients with two pullbacks of two landmarks each, by three methods."""
    rng = np.random.default_rng(4)
    # (method, patient, pullback, landmark)
    errors = np.round(rng.normal(0.1, 0.3, (3, 12, 2, 2)), 4)
    errors[1] += 0.4
    names = ("nonrigid", "rigid", "dtw")
    cases = [
        made_cohort.case(
            f"P{p}-{v}",
            f"P{p}",
            "LAD" if v else "RCA",
            errors={name: by_id(errors[m, p, v]) for m, name in enumerate(names)},
        )
        for p in range(12)
        for v in range(2)
    ]
    return read_cohort(made_cohort(*cases)), dict(zip(names, errors, strict=True))


def test_errors_are_summed_up_as_numpy_and_scipy_do(patients):
    cohort, errors = patients
    for method, every in errors.items():
        size = np.abs(every).ravel()
        found = spread(cohort.cases, method, MM)
        assert (found.sizes.values, found.sizes.clusters) == (48, 12)
        assert found.sizes.mean == pytest.approx(size.mean())
        assert found.sizes.sd == pytest.approx(stats.tstd(size))
        assert found.sizes.median == found.median.estimate == pytest.approx(np.median(size))
        assert found.sizes.quartile_3 - found.sizes.quartile_1 == pytest.approx(stats.iqr(size))
        assert found.sizes.percentile_95 == pytest.approx(stats.scoreatpercentile(size, 95))
        assert found.bias.estimate == pytest.approx(every.mean())


def test_intervals_are_those_of_scipy_on_means_of_patients(patients):
    cohort, errors = patients
    means = np.abs(errors["rigid"]).reshape(12, -1).mean(axis=1)
    # Patients come in the order of their names; all have equally many landmarks.
    ordered = means[np.argsort([f"P{p}" for p in range(12)])]
    theirs = stats.bootstrap(
        (ordered,), np.mean, n_resamples=2000, method="BCa", rng=np.random.default_rng(0), batch=2000
    ).confidence_interval
    found = spread(cohort.cases, "rigid", MM).mean
    np.testing.assert_allclose([found.low, found.high], theirs, rtol=1e-9)


def test_methods_are_compared_on_patients_by_scipys_signed_rank_test_with_holm_by_hand(patients):
    cohort, errors = patients
    found = differences(cohort)
    assert [(each.method, each.measure) for each in found] == [
        (method, measure) for method in ("rigid", "dtw") for measure in MEASURES
    ]
    own = np.abs(errors["nonrigid"]).reshape(12, -1).mean(axis=1)
    raw = []
    for each in found:
        d = np.abs(errors[each.method]).reshape(12, -1).mean(axis=1) - own
        factor = {"mm": 1.0, "frames": 2.0, "degrees": 20.0}[each.measure.unit]
        assert each.paired.difference.estimate == pytest.approx(factor * d.mean())
        # Hedges' correction for eleven degrees of freedom: 1 - 3 / (4 * 11 - 1).
        g = d.mean() / d.std(ddof=1) * (1.0 - 3.0 / 43.0)
        assert each.paired.effect.estimate == pytest.approx(g)
        assert each.paired.higher == (d > 0).sum()
        raw.append(stats.wilcoxon(d).pvalue)
        assert each.paired.p_value == pytest.approx(raw[-1])
    # All three measures are multiples of each other here, so that each P value comes three times.
    small, large = sorted({round(p, 12) for p in raw})
    expected = {small: min(1.0, 6.0 * small), large: min(1.0, max(6.0 * small, 3.0 * large))}
    for each, p in zip(found, raw, strict=True):
        assert each.p_value == pytest.approx(expected[round(p, 12)])


def test_only_landmarks_that_both_methods_have_are_compared(made_cohort):
    errors = {
        "nonrigid": {"B1": (0.1, 1.0), "B2": (0.2, 1.0), "B3": (np.nan, 1.0)},
        "dtw": {"B3": (9.0, 1.0), "B2": (-0.5, 1.0), "B9": (7.0, 1.0)},
    }
    cases = [made_cohort.case(name, name, errors=errors) for name in ("A1", "A2")]
    found = differences(read_cohort(made_cohort(*cases)))[0]
    assert (found.landmarks, found.paired.clusters) == (2, 2)
    assert found.paired.difference.estimate == pytest.approx(0.3)


def test_residuals_at_guides_are_in_no_number(made_cohort):
    errors = {"nonrigid": {"B1": (0.001, 0.0), "B2": (0.001, 0.0), "B3": (0.5, 0.0)}}
    made = made_cohort.case("A1", errors=errors, left_out={"B1": (0.3, 0.0)}, guides=("B1", "B2"))
    found = spread(read_cohort(made_cohort(made)).cases, "nonrigid", MM)
    assert (found.sizes.values, found.sizes.mean) == (2, pytest.approx(0.4))


def test_peak_flows_agree_in_the_figure_as_published(made_cohort):
    names = [f"B{i}" for i in range(17)]
    # The builder's frames are half a millimetre long.
    errors = {name: (0.5 * (a - b), 0.0) for name, a, b in zip(names, LARGE, MINI, strict=True)}
    expected = dict(zip(names, map(float, MINI), strict=True))
    made = made_cohort.case("A1", errors={"nonrigid": errors}, expected=expected)
    (panel,) = figures.bland_altman(read_cohort(made_cohort(made))).axes
    # Bland and Altman 1986 and 1999.
    assert panel.texts[0].get_text() == "mean -2.1; limits -78.1 to +73.9; 17 landmarks"
    drawn = sorted(
        line.get_ydata()[0] for line in panel.lines if len(line.get_ydata()) == 2 and line.get_ydata()[0]
    )
    np.testing.assert_allclose(drawn, [-78.1, -2.1, 73.9], atol=0.05)
    middle = np.array(next(line.get_xdata() for line in panel.lines if len(line.get_xdata()) == 17))
    np.testing.assert_allclose(middle, 0.5 * (np.array(LARGE) + MINI))


def test_cumulative_lines_are_scipys_distribution_function(patients):
    cohort, errors = patients
    panel = figures.cumulative(cohort).axes[0]
    size = np.abs(errors["nonrigid"]).ravel()
    line = panel.lines[0]
    assert line.get_label() == "coreg, non-rigid"
    ecdf = stats.ecdf(size).cdf
    # The first corner is the end of the axis; at a value that comes twice the line rises twice.
    reached = dict(zip(line.get_xdata()[1:].tolist(), line.get_ydata()[1:].tolist(), strict=True))
    np.testing.assert_allclose(list(reached.values()), ecdf.evaluate(list(reached)))


def test_paired_figure_joins_the_means_of_each_patient(patients):
    cohort, errors = patients
    panel = figures.paired(cohort).axes[0]
    # Lines through all three methods, in the order of the methods.
    found = np.array([line.get_ydata() for line in panel.lines if len(line.get_xdata()) == 3])
    means = [np.abs(errors[name]).reshape(12, -1).mean(axis=1) for name in cohort.methods[:2]]
    assert cohort.methods == ("nonrigid", "rigid", "dtw")
    order = np.argsort([f"P{p}" for p in range(12)])
    np.testing.assert_allclose(found[:12, :2], np.column_stack(means)[order])


def test_normal_errors_are_within_right_standard_deviations_as_the_normal_law_says(made_cohort):
    rng = np.random.default_rng(8)
    cases = []
    for p in range(40):
        frames = rng.integers(0, 41, 25)
        # What the builder's pullback states at each frame.
        sd = 0.1 + 0.01 * frames
        errors = {f"B{i}": (rng.normal(0.0, s), rng.normal(0.0, 20.0 * s)) for i, s in enumerate(sd)}
        expected = {f"B{i}": float(frame) for i, frame in enumerate(frames)}
        cases.append(made_cohort.case(f"A{p}", errors={"nonrigid": errors}, expected=expected))
    along, around = trusts(read_cohort(made_cohort(*cases)))
    assert (along.landmarks, around.landmarks) == (1000, 1000)
    assert along.within_1.estimate == pytest.approx(0.683, abs=0.04)
    assert along.within_2.estimate == pytest.approx(0.954, abs=0.02)
    # Ten degrees are stated for each millimetre, and they err by twenty.
    assert around.within_2.estimate == pytest.approx(0.683, abs=0.04)


def test_tables_have_a_row_for_each_measure_and_method(patients):
    cohort, _ = patients
    table = spread_table(spreads(cohort))
    assert [row[:2] for row in table.rows[:4]] == [
        ["mm", "coreg, non-rigid"],
        ["mm", "coreg, rigid (one shift, one rotation)"],
        ["mm", "dynamic time warping"],
        ["frames", "coreg, non-rigid"],
    ]
    assert all(len(row) == len(table.header) for row in table.rows)
    compared = difference_table(differences(cohort), cohort.method)
    assert len(compared.rows) == 6
    assert all(len(row) == len(compared.header) for row in compared.rows)
    assert len(trust_table(trusts(cohort)).rows) == 2


def test_a_cohort_of_one_method_without_angles_has_numbers_and_figures(made_cohort):
    cases = [
        made_cohort.case(name, errors={"nonrigid": {"B1": (mm, np.nan)}, "dtw": {"B1": (2 * mm, np.nan)}})
        for name, mm in (("A1", 0.1), ("A2", 0.0), ("A3", -0.3))
    ]
    cohort = read_cohort(made_cohort(*cases))
    assert np.isnan(spread(cohort.cases, "nonrigid", DEGREES).median.estimate)
    assert [each.measure for each in trusts(cohort)] == [MM]
    for figure in (figures.paired(cohort), figures.bland_altman(cohort), figures.cumulative(cohort)):
        figure.draw_without_rendering()
    figures.confidence(cohort, trusts(cohort)).draw_without_rendering()


def test_five_methods_are_named_without_overlap(made_cohort):
    errors = {name: {"B1": (0.123, 12.3)} for name in ("nonrigid", "rigid", "dtw", "dp", "bspline")}
    cohort = read_cohort(made_cohort(*(made_cohort.case(f"A{i}", errors=errors) for i in range(3))))
    figure = figures.paired(cohort)
    figure.draw_without_rendering()
    for panel in figure.axes:
        boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
        assert len(boxes) == 5
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    panels = figures.bland_altman(cohort).axes
    assert sum(bool(panel.texts) for panel in panels) == 5


def test_nothing_measured_gives_no_figure(made_cohort):
    cohort = read_cohort(made_cohort(made_cohort.case("A1")))
    assert spreads(cohort) == differences(cohort) == trusts(cohort) == []
    assert figures.paired(cohort) is None
    assert figures.bland_altman(cohort) is None
    assert figures.cumulative(cohort) is None
    assert figures.confidence(cohort, []) is None
