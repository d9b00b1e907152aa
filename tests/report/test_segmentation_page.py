"""A straight artery along +z in fat, with an eccentric plaque, calcium and a branch, all analytic."""

import base64
import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.text import Text

from coreg.case import CctaCase
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline, VesselTree
from coreg.landmarks import SideBranch
from coreg.report import segmentation_html, segmentation_parts, tree_html, write_report
from coreg.report.figures_slabs import Dot, Stroke, slabs
from coreg.report.figures_vessel import picked_sections, section_gallery, straightened_views, vessel_profiles
from coreg.report.style import look
from coreg.report.vessel_views import blood_hu, cross_section, followed_slab, sampled_hu, straightened
from coreg.volume import Volume

RADIUS_MM, LENGTH_MM, STEP_MM = 1.5, 40.0, 0.4
BLOOD_HU, FAT_HU = 350.0, -80.0
COUNT, ANGLES = 81, 36


def lps_matrix(origin):
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = STEP_MM
    matrix[:, 3] = [*origin, 1.0]
    return matrix


@pytest.fixture(scope="module")
def image():
    """Blood within 1.5 mm of the z axis, and beyond x = 6 mm as a heart's chamber would be; fat elsewhere."""
    grid = Volume(np.zeros((121, 61, 61), np.int16), lps_matrix((-12.0, -12.0, -4.0)))
    world = grid.to_world(np.stack(np.indices(grid.values.shape), axis=-1).astype(float))
    inside = (np.hypot(world[..., 0], world[..., 1]) < RADIUS_MM) | (world[..., 0] > 6.0)
    return Volume(np.where(inside, BLOOD_HU, FAT_HU).astype(np.int16), grid.index_to_world)


@pytest.fixture(scope="module")
def vessel():
    z = np.linspace(0.0, LENGTH_MM, COUNT)
    line = Centerline(np.column_stack([0.0 * z, 0.0 * z, z]), np.full(COUNT, RADIUS_MM))
    lumen = np.full((COUNT, ANGLES), RADIUS_MM)
    calcium = np.zeros((COUNT, ANGLES))
    calcium[20:30, :9] = 0.8
    reason = tuple("calcium hides the lumen" if 20 <= i < 24 else "" for i in range(COUNT))
    quality = np.where(np.arange(COUNT) == 22, 0.1, np.where(np.array(reason) == "", 0.9, 0.3))
    branch = SideBranch("D1", np.array([0.0, 1.5, 25.0]), 25.0, 0.8, probability=0.9, direction=np.eye(3)[1])
    course = Centerline([[0.0, 0.0, 25.0], [0.0, 4.0, 25.0], [0.0, 8.0, 26.0]], np.full(3, 0.8))
    return CctaVessel(
        line,
        lumen,
        lumen + 0.7,
        calcium,
        quality,
        reason,
        quality,
        (branch,),
        (course,),
        {"ostium": 0.5, "distal": 2.0},
        ("The distal click was moved by 2.0 mm.",),
    )


@pytest.fixture(scope="module")
def ccta(image):
    ends = np.array([0.5, 0.0, 0.0]), np.array([0.0, 2.0, LENGTH_MM])
    return CctaCase("P1", image, None, None, *ends, patient="P1", vessel="LAD")


@pytest.fixture(scope="module")
def html(ccta, vessel, tube):
    return segmentation_html(ccta, vessel, tube.surface(), {"coreg": "1", "inputs_sha256": {"a": "b"}})


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


def test_images_are_sampled_where_they_lie_and_nowhere_else(image):
    found = sampled_hu(image, np.array([[0.0, 0.0, 10.0], [3.0, 0.0, 10.0], [0.0, 0.0, 400.0]]))
    np.testing.assert_array_equal(found, [BLOOD_HU, FAT_HU, np.nan])


def test_a_straight_vessel_is_straightened_to_a_band_of_its_diameter(image, vessel):
    picture, (left, right, low, high) = straightened(image, vessel.centerline, 0.5 * np.pi, reach_mm=5.0)
    assert (left, right) == pytest.approx((-0.1, 40.1), abs=0.02)
    assert (low, high) == pytest.approx((-5.1, 5.1), abs=1e-6)
    # A quarter turn from world x there is no chamber: only the vessel is bright.
    widths_mm = (picture > 0.5 * (BLOOD_HU + FAT_HU)).sum(axis=0) * 0.2
    np.testing.assert_allclose(widths_mm, 2.0 * RADIUS_MM, atol=STEP_MM)


def test_rows_of_a_straightened_view_lie_on_the_side_of_their_angle(image, vessel):
    picture, _ = straightened(image, vessel.centerline, 0.0, reach_mm=7.0)
    # The normal at arc length 0 is world +x, where the chamber is.
    assert (picture[-2] == BLOOD_HU).all()
    assert (picture[1] == FAT_HU).all()


def test_a_cross_section_has_the_normal_to_the_right(image, vessel):
    picture = cross_section(image, vessel.centerline, 20.0, reach_mm=7.0)
    middle = picture.shape[0] // 2
    assert picture[middle, middle] == BLOOD_HU
    assert picture[middle, -2] == BLOOD_HU
    assert picture[middle, 1] == FAT_HU
    assert picture[1, middle] == picture[-2, middle] == FAT_HU


def test_the_blood_is_measured_inside_the_lumen(image, vessel):
    hu = blood_hu(image, vessel.centerline, vessel.centerline.radius_mm)
    np.testing.assert_array_equal(hu, BLOOD_HU)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slab_shows_the_vessel_where_it_is_and_not_the_chamber_before_it(image, vessel, axis):
    slab = followed_slab(image, vessel.centerline.points_mm, axis)
    left, right, low, high = slab.extent_mm
    rows, columns = slab.picture.shape
    point = np.array([0.0, 0.0, 20.0])
    column = round((point[slab.across] - left) / (right - left) * columns - 0.5)
    row = round((point[slab.up] - low) / (high - low) * rows - 0.5)
    assert slab.picture[row, column] == BLOOD_HU
    # 4 mm beside the vessel there is fat within 3 mm of its depth, though the chamber is beyond.
    beside = column + round(4.0 / 0.4) * (1 if axis == 0 else -1)
    assert slab.picture[row, beside] == FAT_HU


def test_sections_are_regular_and_the_worst_are_among_them(vessel):
    picks = picked_sections(vessel)
    arc = vessel.centerline.arc_length_mm[[pick.row for pick in picks]]
    assert arc[0] == 0.0
    assert arc[-1] == LENGTH_MM
    assert np.diff(arc).max() <= 2.0 + 1e-9
    assert [pick.row for pick in picks if pick.worst] == [20, 22]


def test_a_good_vessel_has_no_worst_sections(vessel):
    good = dataclasses.replace(vessel, quality=np.full(COUNT, 0.9), reason=("",) * COUNT)
    assert not any(pick.worst for pick in picked_sections(good))


def test_figures_are_drawn_without_an_image_too(vessel, image):
    with look():
        drawn = straightened_views(vessel, image)
        for figure in (
            straightened_views(vessel, None),
            vessel_profiles(vessel, None),
            section_gallery(vessel, None, picked_sections(vessel)),
        ):
            figure.canvas.draw()
    # Four cuts, and one without outlines where there is something to see.
    assert len(drawn.axes) == 5


def test_every_outline_of_a_lengthwise_cut_has_its_radius(vessel, image):
    with look():
        axes = straightened_views(vessel, image).axes[1]
    heights = {round(float(line.get_ydata()[0]), 3) for line in axes.lines if len(line.get_ydata()) == COUNT}
    assert {RADIUS_MM, -RADIUS_MM, RADIUS_MM + 0.7, -RADIUS_MM - 0.7} <= heights


def test_nothing_is_drawn_beyond_the_borders_of_a_figure(vessel, image):
    dots = [Dot(np.zeros(3), "ostium", "X", "white", "click")]
    with look():
        for figure in (
            straightened_views(vessel, image),
            vessel_profiles(vessel, image),
            section_gallery(vessel, image, picked_sections(vessel)),
            slabs(image, [Stroke(vessel.centerline.points_mm, "red", "vessel")], dots),
        ):
            figure.canvas.draw()
            box = figure.get_tightbbox()
            width, height = figure.get_size_inches()
            assert box.x0 >= -0.02
            assert box.y0 >= -0.02
            assert box.x1 <= width + 0.02
            assert box.y1 <= height + 0.02


def test_purpose_notes_and_numbers_are_on_the_page(html):
    text = text_of(html)
    assert "For research use only" in text
    assert "The distal click was moved by 2.0 mm." in text
    assert "length 40.0 mm" in text
    # pi 1.5^2 mm2 over 40 mm.
    assert "lumen 283 mm³ mean radius 1.50 mm, without side branches" in text
    assert "marked 5% 1 stretch" in text
    assert "10.0 to 11.5 mm calcium hides the lumen" in text
    assert "clicks moved 2.0 mm ostium 0.5 mm; distal 2.0 mm" in text
    # The branch leaves at a right angle.
    assert "CCTA D1 25.0 0.80 90 8 0.90" in text


def test_notes_stand_apart_from_what_is_marked(html):
    verdict = html[html.index('<div class="verdict') : html.index('<div class="notes">')]
    notes = html[html.index('<div class="notes">') : html.index('<div class="cards">')]
    assert "Not to be trusted: 10.0 to 11.5 mm: calcium hides the lumen" in text_of(verdict)
    assert "The distal click was moved" not in verdict
    assert text_of(notes) == "Notes The distal click was moved by 2.0 mm."


def test_progress_rises_from_nothing(ccta, vessel, tube):
    told = []
    segmentation_html(
        ccta, vessel, tube.surface(), {}, progress=lambda stage, share: told.append((stage, share))
    )
    shares = [share for _, share in told]
    assert {stage for stage, _ in told} == {"report: CCTA"}
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] < 1.0


def test_a_mark_on_one_section_is_told_as_a_place(ccta, vessel, tube):
    reason = ("a chamber touches it",) + ("",) * (COUNT - 1)
    text = text_of(segmentation_html(ccta, dataclasses.replace(vessel, reason=reason), tube.surface(), {}))
    assert "at 0.0 mm a chamber touches it" in text


def test_the_page_of_a_label_claims_nothing_of_wall_and_calcium(ccta, vessel, tube):
    known = {"wall_radius_mm": vessel.lumen_radius_mm, "wall_quality": np.zeros(COUNT)}
    label = dataclasses.replace(vessel, calcium_mm=np.zeros((COUNT, ANGLES)), **known)
    text = text_of(segmentation_html(ccta, label, tube.surface(), {}))
    assert "calcium not known" in text
    assert "none seen" not in text
    with look():
        figures = (
            straightened_views(label, None),
            section_gallery(label, None, picked_sections(label)),
            vessel_profiles(label, None),
        )
    drawn = {text.get_text() for figure in figures for text in figure.findobj(Text)}
    assert "lumen" in drawn
    assert not {"outer wall", "calcium", "inside the outer wall", "calcium (mm)", "of the outer wall"} & drawn


def test_cross_sections_are_explained_by_what_is_drawn_in_them(vessel):
    plain = dataclasses.replace(vessel, calcium_mm=np.zeros((COUNT, ANGLES)))
    with look():
        (legend,) = section_gallery(plain, None, picked_sections(plain)).legends
    assert [each.get_text() for each in legend.get_texts()] == ["lumen", "outer wall"]


def test_much_that_is_marked_asks_for_review(ccta, vessel, tube):
    reason = tuple("motion" if i < 20 else "" for i in range(COUNT))
    html = segmentation_html(ccta, dataclasses.replace(vessel, reason=reason), tube.surface(), {})
    assert 'class="verdict review"' in html


def test_a_page_holds_all_it_needs(html):
    tags = Elements(html).tags
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(images) == 5
    assert all(base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in images)
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object"}


def test_text_of_inputs_is_escaped(ccta, vessel, tube):
    evil = "<script>alert('&')</script>$x$"
    ccta = dataclasses.replace(ccta, id=evil, patient=evil, vessel=evil)
    reason = tuple(evil if i < 3 else "" for i in range(COUNT))
    branch = dataclasses.replace(vessel.side_branches[0], id=evil)
    vessel = dataclasses.replace(vessel, notes=(evil,), reason=reason, side_branches=(branch,))
    elements = Elements(segmentation_html(ccta, vessel, tube.surface(), {evil: evil}))
    assert not [tag for tag, _ in elements.tags if tag == "script"]
    assert sum(evil in each for each in elements.text) >= 5


def test_a_label_without_an_image_gets_a_page_without_slabs(ccta, vessel, tube):
    html = segmentation_html(
        dataclasses.replace(ccta, image=None, lumen=tube.label()), vessel, tube.surface(), {}
    )
    assert html.count("<img") == 4
    assert "from the lumen label of the case" in text_of(html)


def test_the_parts_stand_in_the_page_of_a_registration(case, registration, ccta, vessel, tube, tmp_path):
    more = segmentation_parts(ccta, vessel, tube.surface())
    write_report(tmp_path / "report.html", case, registration, (), more=more)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.index('id="confidence"') < html.index('id="straightened"') < html.index('id="hypotheses"')
    anchors = [attributes["id"] for tag, attributes in Elements(html).tags if tag == "section"]
    assert len(anchors) == len(set(anchors))


def test_a_tree_lists_its_lines_with_their_ends(ccta, vessel):
    tree = VesselTree((vessel.centerline, vessel.branch_lines[0]))
    text = text_of(tree_html(ccta, tree, {}))
    assert "0 40.0 1.50 [0.0, 0.0, 40.0]" in text
    assert "1 8.1 0.80 [0.0, 8.0, 26.0]" in text
