"""Files as HolOrama and AIVUS write them, of circles."""

import json

import numpy as np
import pytest

from coreg.contours import area_mm2, centroid_mm
from coreg.errors import InputError
from coreg.io.contour_formats import contours_about_catheter, pixels_about_catheter, read_contours
from coreg.io.holorama_csv import write_holorama
from coreg.io.holorama_json import stated_areas_mm2

NAME = "Zzsurname"
PIXEL_MM = 0.02
CENTRE = (256.0, 240.0)


def knots(radius_px, count=12, centre=CENTRE):
    angle = 2.0 * np.pi * np.arange(count) / count
    return [
        (centre[0] + radius_px * np.cos(angle)).tolist(),
        (centre[1] + radius_px * np.sin(angle)).tolist(),
    ]


def contour(*outlines, area=None, closed=()):
    return {"contours": list(outlines), "measurements": {"area": area}, "closed": list(closed)}


def frame(phase="-", **kinds):
    return {"phase": phase, "quality": NAME, "reference": None, "wire": [[1, 2], [3, 4]], **kinds}


def holorama(frames):
    return {str(i): each for i, each in frames.items()} | {"gating_signal": {"image_based_gating": [0.0]}}


def aivus(radii, phases=None, **more):
    x, y = [], []
    for radius in radii:
        drawn = knots(radius) if radius else [[], []]
        # The closing knot that AIVUS adds is near the first one, not on it.
        x.append([*drawn[0], drawn[0][0] + 0.9] if radius else [])
        y.append([*drawn[1], drawn[1][0] + 8.9] if radius else [])
    return {"phases": phases or ["-"] * len(radii), "lumen": [x, y], "measures": [[None, None]], **more}


@pytest.fixture
def read(tmp_path):
    def read(content):
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path = tmp_path / "c.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_contours(path)

    return read


def test_knots_become_a_smooth_outline_in_pixels_whose_centres_are_at_integers(read):
    file = read(holorama({0: frame(lumen=contour(knots(100.0))), 4: frame(lumen=contour(knots(80.0)))}))
    assert not file.about_catheter
    assert sorted(file.contours["lumen"]) == [0, 4]
    assert file.images.frames == 5
    outline = file.contours["lumen"][0]
    # A spline through 12 knots of a circle misses its area by a quarter of a thousandth.
    assert area_mm2(outline) == pytest.approx(np.pi * 100.0**2, rel=5e-4)
    # HolOrama counts from the corner of the first pixel.
    np.testing.assert_allclose(centroid_mm(outline), np.array(CENTRE) - 0.5, atol=1e-6)


def test_both_generations_of_files_hold_the_same(read):
    radii = [100.0, None, 80.0]
    new = read(holorama({i: frame(lumen=contour(knots(r)) if r else contour()) for i, r in enumerate(radii)}))
    old = read(aivus(radii))
    assert sorted(old.contours["lumen"]) == sorted(new.contours["lumen"]) == [0, 2]
    assert old.images.frames == new.images.frames == 3
    for number in (0, 2):
        np.testing.assert_allclose(old.contours["lumen"][number], new.contours["lumen"][number], atol=1e-9)


def test_a_pixel_has_the_size_at_which_outlines_have_their_stated_areas(read, tmp_path):
    areas = {i: np.pi * (radius * PIXEL_MM) ** 2 for i, radius in enumerate((60.0, 70.0, 80.0, 90.0))}
    radii = [60.0, 70.0, 80.0, 90.0]
    frames = {i: frame(lumen=contour(knots(r), area=areas[i])) for i, r in enumerate(radii)}
    for content in (holorama(frames), aivus(radii, lumen_area=list(areas.values()))):
        file = read(content)
        assert file.images.pixel_spacing_mm == pytest.approx((PIXEL_MM, PIXEL_MM), rel=3e-4)
        assert any("from the areas that the file states" in note for note in file.images.notes)
        assert stated_areas_mm2(tmp_path / "c.json") == {"lumen": areas}


@pytest.mark.parametrize(
    "areas", [(None, None, None, None), (1.0, 2.0, 9.0, 0.1), (4.5, None, None, None), ("x", True, -1.0, 1e9)]
)
def test_nothing_is_said_of_a_pixel_where_areas_are_missing_or_disagree(read, areas):
    frames = {i: frame(lumen=contour(knots(60.0 + i), area=area)) for i, area in enumerate(areas)}
    assert read(holorama(frames)).images.pixel_spacing_mm is None


def test_phases_and_frames_that_the_reader_set_aside_come_along(read):
    lumen = contour(knots(90.0))
    frames = {i: frame(phase, lumen=lumen) for i, phase in enumerate("-DSD-T")}
    frames[4] |= {"guiding_catheter": True}
    frames[5] |= {"unanalyzable": True, "guiding_catheter": False}
    images = read(holorama(frames)).images
    assert images.frames_of("diastole").tolist() == [1, 3]
    assert images.frames_of("systole").tolist() == [2]
    assert images.unfit == {4: "guide catheter", 5: "not analysable"}
    old = read(aivus([90.0, 90.0], phases=["S", "D"])).images
    assert old.phase == {0: "systole", 1: "diastole"}


def test_other_kinds_are_read_and_of_several_outlines_the_largest_counts(read):
    small, large = knots(20.0, centre=(300.0, 300.0)), knots(30.0, centre=(200.0, 200.0))
    frames = {
        0: frame(
            lumen=contour(knots(90.0)),
            eem=contour(knots(140.0), closed=[True]),
            branch=contour(small, large, closed=[True, True]),
            lipid=contour(small),
        )
    }
    file = read(holorama(frames))
    assert sorted(file.contours) == ["branch", "eem", "lumen"]
    np.testing.assert_allclose(centroid_mm(file.contours["branch"][0]), [199.5, 199.5], atol=1e-6)


def test_a_contour_that_is_not_closed_is_left_out_and_told(read):
    frames = {0: frame(lumen=contour(knots(90.0)), calcium=contour([[1.0, 9.0], [2.0, 3.0]], closed=[False]))}
    file = read(holorama(frames))
    assert sorted(file.contours) == ["lumen"]
    assert any("one contour that is not closed" in note for note in file.images.notes)


def test_many_points_are_an_outline_already(read):
    square = [[0.0] * 50 + list(range(50)), list(range(50)) + [49.0] * 50]
    outline = read(holorama({0: frame(lumen=contour(square))})).contours["lumen"][0]
    assert area_mm2(outline) == pytest.approx(49.0 * 49.0 / 2.0)


GOOD = [[0.0, 9.0, 9.0], [0.0, 0.0, 9.0]]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "found broken JSON in line 1, expected contours of HolOrama"),
        ('{"0": ' + "[" * 100_000, "found broken JSON"),
        (b'{"0": "\xff"}', "not UTF-8"),
        ([1, 2], "found JSON of a list"),
        ({}, "found JSON without a frame"),
        ({"markups": [{"name": NAME}]}, "found JSON without a frame"),
        ({NAME: {"lumen": 3}}, "found JSON without a frame"),
        ({"0": [1]}, "frame 0: found list, expected an object"),
        ({"99999999999999999999": frame()}, "expected at most 100000 frames"),
        (holorama({7: frame(lumen=[1])}), r"frame 7 \(from 0\), lumen: found list"),
        (holorama({7: frame(lumen={"contours": 3})}), "lumen: found dict, expected an object with contours"),
        (holorama({7: frame(lumen=contour([[1, 2, 3]]))}), "found no pair of lists"),
        (holorama({7: frame(lumen=contour(5.0))}), "found no pair of lists"),
        (holorama({7: frame(lumen=contour([[1, 2, 3], 4]))}), "found no pair of lists"),
        (holorama({7: frame(lumen=contour([[1, 2, 3], [1, 2]]))}), "found 3 x and 2 y"),
        (holorama({7: frame(lumen=contour([[1, 2, None], [1, 2, 3]]))}), "found a knot that is no number"),
        (holorama({7: frame(lumen=contour([[1, 2, NAME], [1, 2, 3]]))}), "found a knot that is no number"),
        (
            holorama({7: frame(lumen=contour([[1, 2, float("nan")], [1, 2, 3]]))}),
            r"point 3: found \(nan, 2.5\)",
        ),
        (holorama({7: frame(lumen=contour([[1, 2, 1e300], [1, 2, 3]]))}), r"point 3: found \(1e\+300"),
        (holorama({7: frame(lumen=contour([[1, 2, 10**400], [1, 2, 3]]))}), "a number beyond all measure"),
        (holorama({7: frame(lumen=contour([[1, 2], [1, 2]]))}), "needs three distinct points, got 2"),
        (holorama({7: frame(lumen=contour([[1, 2, 1], [1, 2, 1]]))}), "needs three distinct points, got 2"),
        (holorama({7: frame(lumen=contour([[1, 2, 3], [1, 2, 3]]))}), "must enclose an area"),
        ({"lumen": [[[1, 2]]]}, "lumen: found no pair of lists"),
        ({"lumen": [[GOOD[0]], []]}, "lumen: found x of 1 frames and y of 0"),
        ({"lumen": [[GOOD[0]], [GOOD[1]]]}, "needs three distinct points, got 2"),
        ({"lumen": [[3], [4]]}, "found no pair of lists"),
        ({"lumen": [[[]] * 100_001] * 2}, "found 100001 frames"),
        ({"lumen": []}, "found JSON without a frame"),
    ],
)
def test_broken_files_are_refused_without_a_name_in_the_message(read, content, match):
    with pytest.raises(InputError, match=match) as error:
        read(content)
    assert NAME not in str(error.value)


def test_a_file_larger_than_any_pullback_is_refused(tmp_path):
    with (tmp_path / "c.json").open("wb") as file:
        file.write(b"{")
        file.truncate(100_000_001)
    with pytest.raises(InputError, match="found 100 MB, expected contours, at most 100 MB"):
        read_contours(tmp_path / "c.json")


def test_holorama_csv_survives_writing_and_reading(tmp_path):
    rng = np.random.default_rng(3)
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    unit = np.column_stack([np.cos(angle), np.sin(angle)])
    contours = {7: (1.5 + 0.2 * rng.random((40, 1))) * unit, 2: 2.0 * unit + 0.123456789}
    catheter = np.array([4.4945, 4.4949])
    write_holorama(tmp_path / "c.csv", contours, catheter_mm=catheter, z_mm={2: 0.0, 7: 1 / 3})
    text = (tmp_path / "c.csv").read_text()
    assert len(text.splitlines()) == 80
    # Frames from 1, y upwards, z as given.
    x, y = contours[2][0].tolist()
    assert text.splitlines()[0].split("\t") == ["3", repr(4.4945 + x), repr(4.4949 - y), "0.0"]
    file = read_contours(tmp_path / "c.csv")
    assert file.z_mm == {2: 0.0, 7: 1 / 3}
    again = contours_about_catheter(file.contours["lumen"], catheter)
    assert sorted(again) == [2, 7]
    for number, points in contours.items():
        np.testing.assert_allclose(again[number], points, rtol=0.0, atol=1e-14)


def test_pixels_and_holoramas_mm_describe_the_same_place():
    # A point of the image, as JSON and as CSV have it: 512 rows of 0.02 mm.
    pixels = np.array([[300.0, 200.0], [310.0, 210.0], [300.0, 220.0]])
    as_csv = {0: np.column_stack([pixels[:, 0] * 0.02, (512 - pixels[:, 1]) * 0.02])}
    from_csv = contours_about_catheter(as_csv, np.array([256.0, 256.0]) * 0.02)
    from_json = pixels_about_catheter(
        {0: pixels - 0.5}, catheter_px=np.array([255.5, 255.5]), pixel_spacing_mm=np.array([0.02, 0.02])
    )
    np.testing.assert_allclose(from_json[0], from_csv[0], atol=1e-12)
