import itertools

from coreg.cli.console import LONG_S, lines


def told_by(reports):
    """Report stages, each with the time at which that is done; returns the lines."""
    told = []
    times = iter([0.0, *(time for time, _, _ in reports)])
    progress = lines(told.append, lambda: next(times))
    for _, stage, share in reports:
        progress(stage, share)
    return told


def test_each_stage_is_told_once_while_it_is_short():
    told = told_by([(0.0, "reading", 0.0), (0.5, "reading", 0.1), (2.5, "lumen", 0.2), (3.0, "lumen", 0.3)])
    assert told == ["[  0.0 s] reading", "[  2.5 s] lumen"]


def test_a_long_stage_says_how_far_it_is():
    told = told_by([(0.0, "drawing", 0.2), (LONG_S, "drawing", 0.426), (LONG_S + 1.0, "drawing", 0.5)])
    assert told == ["[  0.0 s] drawing", f"[{LONG_S:5.1f} s] drawing (43 % of all)"]


def test_there_is_no_silence_longer_than_a_long_stage_and_a_step():
    told = told_by([(0.1 * i, "drawing", i / 1000) for i in range(1000)])
    seconds = [float(line[1:6]) for line in told]
    assert max(b - a for a, b in itertools.pairwise(seconds)) <= LONG_S + 0.1 + 1e-6
