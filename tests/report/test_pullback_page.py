"""A pullback of round lumens about the catheter, in images whose grey values tell where they lie."""

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.text import Text

from coreg.case import PullbackCase
from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import (
    BEYOND,
    BLOOD,
    BRIDGED,
    NO_CONTOUR,
    OPEN,
    SEEN,
    UNDRAWN,
    CalciumArc,
    Gating,
    PullbackVessel,
)
from coreg.report import pullback_html, pullback_parts, write_report
from coreg.report.figures_frames import frame_gallery, frame_title
from coreg.report.figures_run import cuts, heartbeat, profiles, unrolled
from coreg.report.pullback_views import (
    PLACES,
    RANKS,
    FramePick,
    SegmentedRun,
    blacked_out,
    columns_of,
    picked_frames,
    white_level,
)
from coreg.report.style import CALCIUM, PULLBACK, WALL, look

COUNT, ANGLES, SIZE, PIXEL_MM = 40, 64, 101, 0.08
RADIUS_MM, EEM_MM = 1.5, 2.0
BLOODY = range(20, 26)


@pytest.fixture(scope="module")
def images():
    """Right of the catheter 200, below it 100, elsewhere 20; frame 7 is white."""
    y, x = (np.indices((SIZE, SIZE)) - 50) * PIXEL_MM
    one = np.where((x > 0.3) & (np.abs(y) < 0.3), 200, np.where((y > 0.3) & (np.abs(x) < 0.3), 100, 20))
    pixels = np.repeat(one[None].astype(np.uint8), COUNT, axis=0)
    pixels[7] = 255
    return PullbackImages(
        pixels,
        np.full(2, PIXEL_MM),
        np.full(2, 50.0),
        "IVUS",
        4.0,
        frame_rate_hz=30.0,
        sources={"pixel_spacing_mm": "the case", "position_mm": "the file (IVUSPullbackRate)"},
        notes=("marks on all frames were blacked (12 pixels)",),
    )


@pytest.fixture(scope="module")
def vessel():
    lumen = np.full((COUNT, ANGLES), RADIUS_MM)
    state = np.zeros((COUNT, ANGLES), np.uint8)
    state[:, 40:44] = BRIDGED
    state[10:13, 8:14], lumen[10:13, 8:14] = OPEN, 3.0
    state[20:26, :30], state[30, 20:30] = BLOOD, BEYOND
    wall = np.full((COUNT, ANGLES), RADIUS_MM)
    wall[33] = 1.2
    lumen[33] = 1.2
    reason = tuple("blood in the lumen" if i in BLOODY else "" for i in range(COUNT))
    quality = np.where([bool(each) for each in reason], 0.3, 0.95)
    quality[3] = 1.0
    return PullbackVessel(
        lumen,
        wall,
        np.full((COUNT, ANGLES), EEM_MM),
        state,
        np.ones((COUNT, ANGLES), bool),
        quality,
        reason,
        4.0,
        side_branches=(
            SideBranch("S1", frame=11.0, first_frame=10.0, last_frame=12.0, angle_rad=1.0, probability=0.9),
        ),
        calcium=(CalciumArc("C1", 15, 18, np.pi, 1.0),),
        gating=Gating(np.arange(1, COUNT, 4), 4.0, "diastole", 0.8, np.sin(np.arange(COUNT))),
        notes=("Gated by the images: 10 beats.",),
    )


@pytest.fixture(scope="module")
def pullback_case(images):
    frames = np.arange(COUNT)
    pullback = Pullback(frames, 0.5 * frames, {}, modality="IVUS", field_of_view_mm=4.0)
    return PullbackCase("P1", pullback, images, patient="P1", vessel="LAD")


@pytest.fixture(scope="module")
def run(pullback_case, vessel, images):
    return SegmentedRun(pullback_case.pullback, vessel, images)


@pytest.fixture(scope="module")
def html(pullback_case, vessel):
    return pullback_html(pullback_case, vessel, {"coreg": "1", "inputs_sha256": {"a": "b"}})


class Elements(HTMLParser):
    """Collects start tags and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def text_of(html):
    return " ".join(" ".join(Elements(html).text).split())


def figures_of(run):
    with look():
        return [
            frame_gallery(run, picked_frames(run)),
            cuts(run),
            profiles(run),
            unrolled(run),
            heartbeat(run),
        ]


def words_of(figures):
    return {text.get_text() for figure in figures for text in figure.findobj(Text)}


def one_line(text):
    return " ".join(text.split())


def with_reasons(run, **by_frame):
    """The run with other reasons: of frame 5 as ``f5``."""
    reason = [by_frame.get(f"f{i}", "") for i in range(COUNT)]
    return SegmentedRun(run.pullback, dataclasses.replace(run.vessel, reason=tuple(reason)), run.images)


LONG_REASON = (
    "an outline unlike those of its neighbours, where the wall can hardly be told from the blood before it"
)


@pytest.fixture(scope="module")
def plain():
    """An OCT vessel of which all frames are as good."""
    radius = np.full((COUNT, ANGLES), RADIUS_MM)
    return PullbackVessel(
        radius, radius, None, np.zeros((COUNT, ANGLES)), None, np.ones(COUNT), ("",) * COUNT, 4.0
    )


def test_columns_hold_the_nearest_frame_of_uneven_positions():
    position = np.array([0.0, 0.1, 3.0, 2.0])
    run = SegmentedRun(Pullback(np.arange(4), position, {}), None, None)
    columns = columns_of(run)
    at = columns.first_mm - (columns.first_mm - columns.last_mm) * (np.arange(1200) + 0.5) / 1200
    nearest = np.argmin(np.abs(position[:, None] - at), axis=0)
    assert (columns.frame == nearest).mean() > 0.99
    assert columns.frame[0] == 2


def test_dim_images_are_brightened(images):
    dim = dataclasses.replace(images, pixels=images.pixels // 2)
    assert white_level(dim) < white_level(images) <= 255.0
    black = dataclasses.replace(images, pixels=np.zeros_like(images.pixels))
    assert white_level(black) == 255.0


def test_frames_are_picked_from_best_to_worst_with_branches_and_doubts(run):
    free = SegmentedRun(run.pullback, dataclasses.replace(run.vessel, gating=None), run.images)
    why = {pick.frame: pick.why for pick in picked_frames(free)}
    assert why[3].startswith("best")
    assert "pullback side branch S1" in why[11]
    assert why[33].startswith("smallest lumen")
    assert "worst" in why[25]
    assert len(why) == 7


def test_a_reason_that_no_picked_frame_has_is_shown(run):
    reason = list(run.vessel.reason)
    reason[36] = "no clear border of the lumen"
    vessel = dataclasses.replace(run.vessel, gating=None, reason=tuple(reason))
    picks = picked_frames(SegmentedRun(run.pullback, vessel, run.images))
    assert (36, "marked") in picks


def test_of_a_gated_pullback_gated_frames_are_shown(run):
    ranked = [pick.frame for pick in picked_frames(run) if pick.why.split(",")[0] in RANKS]
    assert set(ranked) <= set(run.vessel.gating.frame.tolist())


def test_nothing_is_drawn_beyond_the_borders_of_a_figure(run):
    for figure in figures_of(run):
        figure.canvas.draw()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 >= -0.02
        assert box.y0 >= -0.02
        assert box.x1 <= width + 0.02
        assert box.y1 <= height + 0.02


def test_outlines_of_a_cut_lie_at_their_radius(run):
    with look():
        axes = cuts(run).axes[1]
    heights = {round(float(line.get_ydata()[0]), 3) for line in axes.lines if len(line.get_ydata()) == COUNT}
    assert heights == {RADIUS_MM, -RADIUS_MM, EEM_MM, -EEM_MM}


def drawn_by(axes):
    """For each line over all frames, by colour: which frames it shows, and on which it has dots."""
    lines = [line for line in axes.lines if len(line.get_ydata()) == COUNT]
    return {
        (line.get_color(), tuple(np.flatnonzero(np.isfinite(line.get_ydata())[::-1]))): tuple(
            np.flatnonzero(line.get_markevery()[::-1]) if line.get_marker() == "." else ()
        )
        for line in lines
    }


def test_frames_that_nobody_outlined_show_no_line(run, pullback_case):
    lumen, membrane = (5, 10, 11, 12, 30), (10, 12, 30)
    there, seen = (np.isin(np.arange(COUNT), each) for each in (lumen, membrane))
    vessel = dataclasses.replace(
        run.vessel,
        state=np.repeat(np.where(there, SEEN, UNDRAWN)[:, None], ANGLES, axis=1),
        eem_seen=np.repeat(seen[:, None], ANGLES, axis=1),
        quality=np.where(there, 1.0, 0.0),
        reason=tuple("" if each else NO_CONTOUR for each in there),
        side_branches=(),
        calcium=(),
        gating=None,
        from_contours=True,
    )
    sparse = SegmentedRun(run.pullback, vessel, run.images)
    blue = {(PULLBACK, lumen): (5, 30)}
    with look():
        area, burden, quality = profiles(sparse).axes[:3]
        assert drawn_by(area) == blue | {(WALL, membrane): membrane}
        assert drawn_by(burden) == {(CALCIUM, membrane): membrane}
        assert drawn_by(quality) == blue
        for axes in cuts(sparse).axes[1:3]:
            assert drawn_by(axes) == blue | {(WALL, membrane): membrane}
        words = words_of([frame_gallery(sparse, picked_frames(sparse))])
        assert "membrane, not seen" not in words
    with look():
        colours = {line.get_color() for line in frame_gallery(sparse, [FramePick(11, "")]).axes[0].lines}
        assert PULLBACK in colours
        assert WALL not in colours
    text = text_of(pullback_html(pullback_case, vessel, {}, outlined=True))
    assert text.count("a dot is such a frame") == 2


def test_only_what_is_there_is_in_the_legends(run, plain):
    words = words_of(figures_of(run))
    assert {"membrane (EEM)", "opening of a side branch", "behind blood", "calcium"} <= words
    assert "plaque burden (%)" in words
    bare = SegmentedRun(run.pullback, plain, run.images)
    with look():
        words = words_of(
            [frame_gallery(bare, picked_frames(bare)), cuts(bare), profiles(bare), unrolled(bare)]
        )
    assert "lumen" in words
    for word in (
        "membrane (EEM)",
        "opening of a side branch",
        "behind blood",
        "calcium",
        "plaque burden (%)",
    ):
        assert word not in words
    with pytest.raises(ValueError, match="without gating"):
        heartbeat(bare)


def test_figures_are_drawn_without_images_too(run):
    bare = SegmentedRun(run.pullback, run.vessel, None)
    for figure in figures_of(bare):
        figure.canvas.draw()
    with look():
        assert len(cuts(bare).axes) == 2
        assert len(cuts(run).axes) == 3


def test_a_frame_shows_no_more_of_its_image_than_lies_around_the_lumen(run, images):
    with look():
        figure = frame_gallery(run, picked_frames(run))
    for axes in figure.axes:
        (image,) = axes.images
        left, right, bottom, top = image.get_extent()
        half = 0.5 * SIZE * PIXEL_MM
        assert left >= -half - 1e-9
        assert right <= half + 1e-9
        assert bottom <= half + 1e-9
        assert top >= -half - 1e-9
        # The catheter's pixel lies at 0, 0.
        column = (0.0 - left) / PIXEL_MM - 0.5
        assert column == pytest.approx(round(column), abs=1e-6)


def test_purpose_notes_and_numbers_are_on_the_page(html):
    text = text_of(html)
    assert "For research use only" in text
    assert "Gated by the images: 10 beats." in text
    assert "IVUS · 40 frames over 19.5 mm · from the images" in text
    assert "frames 40 over 19.5 mm, 10 of them gated" in text
    # pi 1.2^2 mm2 of frame 33; 30 frames a second over 4 frames a beat.
    assert "smallest lumen 4.52 mm² in frame 33" in text
    assert "heartbeat 450 / min diastole with a probability of 80%" in text
    # 1 - (1.5 / 2)^2.
    assert "largest 64% in frame 33" in text
    assert "20 to 25 6 blood in the lumen" in text
    assert "pullback S1 11.0 10 to 12 5.5 57 0.90" in text
    assert "C1 15 to 18 1.5 180 57" in text
    assert "10 4.0 diastole 0.80" in text


def block_of(html, name):
    """Text of a div of a class, which holds no other div."""
    (block,) = re.findall(rf'<div class="{name}[^"]*">(.*?)</div>', html, flags=re.DOTALL)
    return text_of(block)


def test_notes_stand_apart_from_what_is_marked(html):
    assert "Not to be trusted: frames 20 to 25: blood in the lumen" in block_of(html, "verdict")
    assert "Gated by" not in block_of(html, "verdict")
    assert block_of(html, "notes") == (
        "Notes marks on all frames were blacked (12 pixels) Gated by the images: 10 beats."
    )


def test_notes_of_reading_positions_and_contours_are_on_the_page(pullback_case, vessel):
    pullback = dataclasses.replace(pullback_case.pullback, notes=("only the 10 diastolic frames are taken",))
    page = pullback_html(dataclasses.replace(pullback_case, pullback=pullback), vessel, {})
    assert block_of(page, "notes").count("only the 10 diastolic frames are taken") == 1


def test_without_notes_and_marks_neither_is_led_over_to(pullback_case, plain, images):
    case = dataclasses.replace(pullback_case, images=dataclasses.replace(images, notes=()))
    page = pullback_html(case, plain, {})
    assert '<div class="notes">' not in page
    assert "Not to be trusted:" not in page


def test_reasons_are_never_cut(run):
    long = with_reasons(run, f7=LONG_REASON, f8=LONG_REASON)
    with look():
        figures = [frame_gallery(long, picked_frames(long)), profiles(long)]
    words = {one_line(each) for each in words_of(figures)}
    assert any(each.startswith("frame 7: marked") and each.endswith(LONG_REASON) for each in words)
    assert f"{LONG_REASON} (2)" in words
    assert not any("…" in each for each in words)
    for figure in figures:
        figure.canvas.draw()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) >= -0.02
        assert box.x1 <= width + 0.02
        assert box.y1 <= height + 0.02


def test_titles_do_not_touch_the_frames_above_them(run):
    long = with_reasons(run, **{f"f{i}": f"{LONG_REASON}, {i}" for i in range(0, COUNT, 3)})
    with look():
        figure = frame_gallery(long, picked_frames(long))
    figure.canvas.draw()
    panels = [axes.get_window_extent() for axes in figure.axes]
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert len(panels) > 5
    assert not any(title.overlaps(panel) for title in titles for panel in panels)


def test_of_many_reasons_rare_ones_share_a_group_and_no_frame_is_lost(run):
    many = with_reasons(run, **{f"f{i}": f"reason {min(i, 20) // 2}" for i in range(30)})
    with look():
        words = words_of([profiles(many)])
    counts = [int(found[1]) for each in words if (found := re.search(r"reason.*\((\d+)\)$", one_line(each)))]
    # Reason 10 of frames 20 to 29, reasons 0 to 9 of two frames each.
    assert sorted(counts) == [2, 2, 2, 2, 10, 12]
    assert any("6 other reasons" in each for each in words)


def test_frames_of_one_quality_are_not_ranked(pullback_case, plain, images):
    run = SegmentedRun(pullback_case.pullback, plain, images)
    picks = [pick for pick in picked_frames(run) if pick.why.split(",")[0] in PLACES]
    assert [pick.frame for pick in picks] == [0, 10, 20, 29, 39]
    text = text_of(pullback_html(pullback_case, plain, {}))
    assert "Frames from the first to the last, all of the same quality" in text
    with look():
        titles = words_of([frame_gallery(run, picked_frames(run))])
    assert not any(re.search("best|worst|better|worse", each) for each in {*titles, text})


def test_a_page_without_a_membrane_does_not_speak_of_one(pullback_case, plain, html):
    assert re.search("external elastic membrane|plaque burden", text_of(html))
    assert not re.search("membrane|plaque", text_of(pullback_html(pullback_case, plain, {})))


def test_one_frame_is_singular(pullback_case, vessel):
    branch = dataclasses.replace(vessel.side_branches[0], first_frame=11.0, last_frame=11.0)
    single = dataclasses.replace(
        vessel,
        reason=("",) * 17 + ("blood in the lumen",) + ("",) * (COUNT - 18),
        side_branches=(branch,),
        calcium=(CalciumArc("C1", 15, 15, np.pi, 1.0),),
    )
    page = pullback_html(pullback_case, single, {})
    text = text_of(page)
    assert "frame 17: blood in the lumen" in block_of(page, "verdict")
    assert "pullback S1 11.0 11 5.5" in text
    assert "C1 15 0.0" in text
    assert "calcium 1 arc " in text
    assert not re.search(r"\b(\d+) to \1\b", text)


def test_blacked_marks_are_explained_where_they_lie_in_the_field_of_view(pullback_case, vessel, images):
    corner, middle = (np.zeros((SIZE, SIZE), bool) for _ in range(2))
    corner[:4, :4], middle[30:34, 60:80] = True, True
    for found, hidden, marks in (
        (False, None, {}),
        (False, corner, {}),
        (True, middle, {}),
        (True, corner, {7: middle}),
    ):
        marked = dataclasses.replace(images, hidden=hidden, marks=marks)
        assert blacked_out(marked) == found
        page = pullback_html(dataclasses.replace(pullback_case, images=marked), vessel, {})
        assert ("blacked out: text and scale marks" in text_of(page)) == found
    assert not blacked_out(None)


def test_cuts_show_all_of_the_field_of_view(run):
    # An eccentric catheter: the wall lies 3.9 of 4.0 mm away at 90 degrees, in few of all angles.
    wall = np.full((COUNT, ANGLES), RADIUS_MM)
    wall[:, 15:18] = 3.9
    vessel = dataclasses.replace(run.vessel, wall_mm=wall, lumen_mm=wall, eem_mm=None, eem_seen=None)
    far = SegmentedRun(run.pullback, vessel, run.images)
    with look():
        for each, reach in ((far, 4.0), (SegmentedRun(run.pullback, vessel, None), 3.9)):
            for axes in cuts(each).axes:
                low, high = axes.get_ylim()
                assert low <= -reach
                assert high >= reach


def test_areas_are_rounded_alike_in_titles_tiles_and_figures(run, pullback_case):
    # The radius of a polygon of 1.25 mm2.
    step = 2.0 * np.pi / ANGLES
    radius = np.sqrt(2.0 * 1.25 / (ANGLES * np.sin(step)))
    vessel = dataclasses.replace(
        run.vessel, wall_mm=np.full((COUNT, ANGLES), radius), eem_mm=None, eem_seen=None, gating=None
    )
    small = SegmentedRun(run.pullback, vessel, run.images)
    assert "lumen 1.25 mm²" in frame_title(vessel, picked_frames(small)[0])
    assert "smallest lumen 1.25 mm²" in text_of(pullback_html(pullback_case, vessel, {}))
    with look():
        assert any("smallest: 1.25 mm²" in each for each in words_of([profiles(small)]))


def test_progress_rises_from_nothing(pullback_case, vessel):
    told = []
    pullback_parts(pullback_case, vessel, progress=lambda stage, share: told.append((stage, share)))
    assert {stage for stage, _ in told} == {"report: pullback"}
    shares = [share for _, share in told]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert len(set(shares)) > 4
    assert shares[-1] < 1.0


def test_each_fact_comes_with_its_origin(html):
    text = text_of(html)
    assert "pixel size (mm) 0.08 x 0.08 the case" in text
    assert "positions 0.5 mm between frames, motorized the file (IVUSPullbackRate)" in text
    assert "marks on all frames were blacked (12 pixels)" in text


def test_much_that_is_marked_asks_for_review(pullback_case, vessel, html):
    assert 'class="verdict review"' in html
    few = dataclasses.replace(vessel, reason=("blood in the lumen",) + ("",) * (COUNT - 1))
    assert 'class="verdict segmented"' in pullback_html(pullback_case, few, {})


def test_the_page_of_contours_claims_nothing_of_calcium_and_branches(pullback_case, vessel):
    bare = dataclasses.replace(vessel, calcium=(), side_branches=(), gating=None)
    page = pullback_html(dataclasses.replace(pullback_case, images=None), bare, {}, outlined=True)
    text = text_of(page)
    assert 'class="verdict measured"' in page
    assert "from the contours of the case" in text
    assert "calcium not known" in text
    assert "side branches not known" in text
    assert "none seen" not in text
    assert 'id="unrolled"' not in page
    assert 'id="facts"' not in page


def test_a_page_holds_all_it_needs(html):
    tags = Elements(html).tags
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(images) == 5
    assert all(base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in images)
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object"}


def test_text_of_inputs_is_escaped(pullback_case, vessel, images):
    evil = "<script>alert('&')</script>$x$"
    images = dataclasses.replace(images, sources={evil: evil}, notes=(evil,))
    case = dataclasses.replace(pullback_case, id=evil, patient=evil, vessel=evil, images=images)
    branch = dataclasses.replace(vessel.side_branches[0], id=evil)
    reason = (evil, *vessel.reason[1:])
    vessel = dataclasses.replace(vessel, notes=(evil,), reason=reason, side_branches=(branch,))
    elements = Elements(pullback_html(case, vessel, {evil: evil}))
    assert not [tag for tag, _ in elements.tags if tag == "script"]
    assert sum(evil in each for each in elements.text) >= 7


def test_the_parts_stand_in_the_page_of_a_registration(case, registration, pullback_case, vessel, tmp_path):
    more = pullback_parts(pullback_case, vessel)
    write_report(tmp_path / "report.html", case, registration, (), more=more)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.index('id="confidence"') < html.index('id="frames"') < html.index('id="hypotheses"')
    anchors = [attributes["id"] for tag, attributes in Elements(html).tags if tag == "section"]
    assert len(anchors) == len(set(anchors))
