"""Contours of other tools as the lumen of a case: circles of 1.5 mm about the catheter."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from coreg.contours import area_mm2, centroid_mm
from coreg.errors import InputError
from coreg.io.case_file import load_case

PIXEL_MM = 0.02
SIZE = (400, 380)
RADIUS_PX = 75.0
COUNT = 10


def circle_px(radius_px=RADIUS_PX, centre=(199.5, 189.5), count=40):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_px + centre


def echoplaque(pixel=PIXEL_MM, frames=COUNT, drawn=range(2, 9), rate=10.0, speed=5.0):
    def contour(kind, radius_px):
        points = "".join(f"<p>{x:.3f},{y:.3f}</p>" for x, y in circle_px(radius_px))
        return f"<Ctr><Npts>40</Npts><Type>{kind}</Type>{points}</Ctr>"

    shown = "".join(f"<Fm><Num>{i}</Num>{contour('L', 75.0)}{contour('V', 100.0)}</Fm>" for i in drawn)
    return (
        f"<AnalysisState><ImageState><Xdim>{SIZE[0]}</Xdim><Ydim>{SIZE[1]}</Ydim>"
        f"<NumberOfFrames>{frames}</NumberOfFrames></ImageState><ImageCalibration>"
        f"<XCalibration>{pixel}</XCalibration><YCalibration>{pixel}</YCalibration>"
        f"<AcqRateInFPS>{rate}</AcqRateInFPS><PullbackSpeed>{speed}</PullbackSpeed></ImageCalibration>"
        f"<FrameState>{shown}</FrameState></AnalysisState>"
    )


def holorama(*, areas=True, phases="-" * COUNT, **flags):
    x, y = (circle_px() + 0.5).T.tolist()
    area = np.pi * (RADIUS_PX * PIXEL_MM) ** 2 if areas else None
    lumen = {"contours": [[x, y]], "measurements": {"area": area}, "closed": []}
    return json.dumps(
        {str(i): {"phase": each, "lumen": lumen} | flags.get(f"f{i}", {}) for i, each in enumerate(phases)}
    )


@pytest.fixture
def load(case_folder):
    def load(name, text, **keys):
        case_folder.text(name, text)
        named = {f"pullback.{key}": value for key, value in keys.items()}
        case_folder.write({"pullback.lumen": f'"{name}"', "pullback.frame_spacing_mm": None} | named)
        return load_case(case_folder.path).pullback

    return load


def check_circles(pullback, frames, pixel_mm=PIXEL_MM):
    assert sorted(pullback.lumen) == list(frames)
    for contour in pullback.lumen.values():
        assert area_mm2(contour) == pytest.approx(np.pi * (RADIUS_PX * pixel_mm) ** 2, rel=1e-3)
        np.testing.assert_allclose(centroid_mm(contour), [0.0, 0.0], atol=1e-4)


def test_a_file_that_tells_everything_needs_no_other_key(load):
    pullback = load("x.xml", echoplaque())
    check_circles(pullback, range(2, 9))
    assert sorted(pullback.eem) == list(range(2, 9))
    # Ten images, of which some have no contour, 5 mm/s by 10 per second apart.
    np.testing.assert_array_equal(np.sort(pullback.frame), np.arange(COUNT))
    assert pullback.frame_spacing_mm == pytest.approx(0.5)
    assert pullback.field_of_view_mm == pytest.approx(190.0 * PIXEL_MM)


def test_what_the_case_says_wins_and_a_conflict_is_told(load):
    pullback = load("x.xml", echoplaque(), pixel_spacing_mm="0.018", frame_spacing_mm="0.3")
    check_circles(pullback, range(2, 9), 0.018)
    assert pullback.frame_spacing_mm == pytest.approx(0.3)
    assert "pixels of 0.018 mm, though x.xml states 0.02 mm" in pullback.notes


def test_the_catheter_of_the_case_is_the_origin(load):
    pullback = load("x.xml", echoplaque(), catheter_px="[209.5, 184.5]")
    np.testing.assert_allclose(centroid_mm(pullback.lumen[3]), [-0.2, 0.1], atol=1e-4)


def test_holoramas_json_tells_the_pixel_but_not_the_images_size(load):
    pullback = load("x.json", holorama(), catheter_px="[199.5, 189.5]", frame_spacing_mm="0.5")
    check_circles(pullback, range(COUNT))
    assert any("from the areas that the file states" in note for note in pullback.notes)


def test_the_image_tells_the_size_where_neither_contours_nor_case_do(load, case_folder):
    grey = np.random.default_rng(0).integers(1, 200, (COUNT, *SIZE[::-1]), dtype=np.uint8)
    image = sitk.GetImageFromArray(grey)
    image.SetSpacing((0.02, 0.02, 0.5))
    sitk.WriteImage(image, str(case_folder.path / "i.nii.gz"))
    pullback = load("x.json", holorama(), image='"i.nii.gz"', frame_spacing_mm="0.5")
    check_circles(pullback, range(COUNT))


def test_a_gated_pullback_takes_the_diastolic_frames(load):
    keys = {"catheter_px": "[199.5, 189.5]", "frame_spacing_mm": "0.5", "acquisition": '"gated"'}
    pullback = load("x.json", holorama(phases="-D-SD-DSD-"), **keys)
    check_circles(pullback, [1, 4, 6, 8])
    assert sorted(pullback.frame) == [1, 4, 6, 8]
    # Counted from the first gated frame, as HolOrama does.
    assert sorted(pullback.position_mm) == pytest.approx([0.0, 1.5, 2.5, 3.5])
    assert "only the 4 diastolic frames of x.json are taken" in pullback.notes


def test_all_frames_are_taken_of_a_pullback_that_is_not_called_gated(load):
    keys = {"catheter_px": "[199.5, 189.5]", "frame_spacing_mm": "0.5"}
    check_circles(load("x.json", holorama(phases="-D-SD-DSD-"), **keys), range(COUNT))


def test_frames_that_the_reader_set_aside_have_no_say(load):
    text = holorama(f8={"guiding_catheter": True}, f9={"guiding_catheter": True}, f0={"unanalyzable": True})
    pullback = load("x.json", text, catheter_px="[199.5, 189.5]", frame_spacing_mm="0.5")
    assert pullback.excluded == {0: "not analysable", 8: "guide catheter", 9: "guide catheter"}


def test_the_membrane_may_come_from_a_file_of_another_tool(load, case_folder):
    case_folder.text("e.xml", echoplaque())
    keys = {"catheter_px": "[199.5, 189.5]", "frame_spacing_mm": "0.5", "eem": '"e.xml"'}
    pullback = load("x.json", holorama(), **keys)
    assert sorted(pullback.eem) == list(range(2, 9))
    assert area_mm2(pullback.eem[3]) == pytest.approx(np.pi * 2.0**2, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "keys", "match"),
    [
        (holorama(areas=False), {}, "pullback.pixel_spacing_mm: found nothing, and no pixel size in x"),
        (holorama(), {}, "pullback.catheter_px: found nothing, and no size of the images in x"),
        (
            holorama(),
            {"catheter_px": "[199.5, 189.5]"},
            "pullback.frame_spacing_mm: found nothing, expected the distance",
        ),
        (
            holorama(),
            {"catheter_mm": "[4.5, 4.5]"},
            r"pullback.catheter_mm: found \[4.5, 4.5\], expected catheter_px",
        ),
        (echoplaque(pixel=0), {}, r"pullback.pixel_spacing_mm: found \[0.0, 0.0\] mm in x"),
        (echoplaque(pixel=20), {}, r"pullback.pixel_spacing_mm: found \[20.0, 20.0\] mm in x"),
        (echoplaque(pixel=-0.02), {}, r"pullback.pixel_spacing_mm: found \[-0.02, -0.02\] mm in x"),
        (echoplaque(), {"catheter_px": "[400, 5]"}, r"pullback.catheter_px: found \[400.0, 5.0\]"),
        (echoplaque(rate=133.0), {}, "pullback.frame_spacing_mm: found nothing"),
        (echoplaque(speed=0.0), {}, "pullback.frame_spacing_mm: found nothing"),
        (echoplaque(speed=500.0), {}, "pullback.frame_spacing_mm: found nothing"),
        (echoplaque(drawn=[10]), {}, "pullback.lumen: .*Fm, Num: found 10"),
        (echoplaque(drawn=[]), {}, "pullback.lumen .x.: found no lumen contour at all"),
        ("{", {}, "pullback.lumen: .*found broken JSON"),
    ],
)
def test_what_is_missing_is_named_by_its_key(load, text, keys, match):
    with pytest.raises(InputError, match=match):
        load("x", text, **keys)


def test_an_image_that_does_not_tell_its_scale_still_tells_the_frames(load, case_folder):
    # Contours that tell the scale themselves do not need the image's.
    grey = np.random.default_rng(0).integers(1, 200, (COUNT + 3, *SIZE[::-1]), dtype=np.uint8)
    folder = case_folder.path / "frames"
    folder.mkdir()
    for i, each in enumerate(grey):
        Image.fromarray(each).save(folder / f"{i}.png")
    pullback = load("x.xml", echoplaque(), image='"frames"')
    check_circles(pullback, range(2, 9))
    np.testing.assert_array_equal(np.sort(pullback.frame), np.arange(COUNT + 3))
    assert pullback.frame_spacing_mm == pytest.approx(0.5)


def test_a_contour_of_a_frame_that_the_image_lacks_is_refused(load, case_folder):
    case_folder.stack("i.nii.gz", shape=(5, *SIZE[::-1]))
    with pytest.raises(InputError, match=r"found a contour for frame 8 \(from 0\), expected frames of the"):
        load("x.xml", echoplaque(), image='"i.nii.gz"')


def test_contours_drawn_on_images_of_another_size_are_refused(load, case_folder):
    case_folder.stack("i.nii.gz", shape=(COUNT, 80, 90))
    with pytest.raises(
        InputError,
        match=r"x\.xml: size: found contours drawn on images of 400 x 380 .* 90 x 80",
    ):
        load("x.xml", echoplaque(), image='"i.nii.gz"')
