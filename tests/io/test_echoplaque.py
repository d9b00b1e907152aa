"""Files as echoPlaque and AIVUS write them: one line, no namespace, whole pixels."""

import numpy as np
import pytest

from coreg.contours import area_mm2, centroid_mm
from coreg.errors import InputError
from coreg.io.contour_formats import read_contours

NAME = "Zzsurname"


def points(radius_px, count=24, centre=(260, 250)):
    angle = 2.0 * np.pi * np.arange(count) / count
    x, y = np.rint(centre[0] + radius_px * np.cos(angle)), np.rint(centre[1] + radius_px * np.sin(angle))
    return [f"{a:.0f},{b:.0f}" for a, b in zip(x, y, strict=True)]


def contour(kind, drawn, count=None):
    listed = "".join(f"<p>{each}</p>" for each in drawn)
    count = len(drawn) if count is None else count
    return f"<Ctr><Npts>{count}</Npts><Type>{kind}</Type><HandDrawn>T</HandDrawn>{listed}</Ctr>"


def frame(number, *contours, phase="-"):
    return f"<Fm><Num>{number}</Num><Phase>{phase}</Phase>{''.join(contours)}</Fm>"


CALIBRATION = {
    "XCalibration": 0.02,
    "YCalibration": 0.02,
    "AcqRateInFPS": 30.0,
    "FrameTimeInMs": 33.3333,
    "PullbackSpeed": 0.5,
}


def document(*frames, count=40, relative="TRUE", start="", **calibration):
    facts = CALIBRATION | calibration
    state = "".join(f"<{key}>{value}</{key}>" for key, value in facts.items() if value is not None)
    size = f"<Xdim>512</Xdim><Ydim>500</Ydim><NumberOfFrames>{count}</NumberOfFrames>"
    return (
        f"{start}<AnalysisState><Demographics><PatientName>{NAME}</PatientName></Demographics>"
        f"<AnalyzedFileNameFullPath>/etc/passwd</AnalyzedFileNameFullPath>"
        f"<ImageState>{size}</ImageState><ImageCalibration>{state}</ImageCalibration>"
        f"<FrameState><ImageRelativePoints>{relative}</ImageRelativePoints><Xoffset>109</Xoffset>"
        f"<Yoffset>3</Yoffset>{''.join(frames)}</FrameState></AnalysisState>"
    )


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "c.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_contours(tmp_path / "c.xml")

    return read


LUMEN = contour("L", points(100.0))


def test_contours_come_in_pixels_of_the_image_whatever_the_offset_of_its_window(read):
    file = read(document(frame(3, LUMEN, contour("V", points(150.0))), frame(7, contour("S", points(90.0)))))
    assert {kind: sorted(each) for kind, each in file.contours.items()} == {
        "lumen": [3],
        "eem": [3],
        "stent": [7],
    }
    # Rounding to whole pixels moves a point by up to 0.7 of 100.
    assert area_mm2(file.contours["lumen"][3]) == pytest.approx(np.pi * 100.0**2, rel=0.014)
    np.testing.assert_allclose(centroid_mm(file.contours["lumen"][3]), [260.0, 250.0], atol=0.3)


def test_the_file_tells_size_pixels_frames_and_their_spacing(read):
    images = read(document(frame(3, LUMEN, phase="D"), frame(9, phase="S"))).images
    assert images.size_px == (512, 500)
    assert images.centre_px == (255.5, 249.5)
    assert images.frames == 40
    assert images.pixel_spacing_mm == (0.02, 0.02)
    assert images.frame_rate_hz == pytest.approx(30.0, rel=1e-5)
    assert images.frame_spacing_mm == pytest.approx(0.5 / 30.0, rel=1e-5)
    assert images.phase == {3: "diastole", 9: "systole"}


def test_pixels_need_not_be_square(read):
    images = read(document(frame(3, LUMEN), XCalibration=0.02, YCalibration=0.025)).images
    assert images.pixel_spacing_mm == (0.02, 0.025)


@pytest.mark.parametrize(
    ("calibration", "match"),
    [
        ({"AcqRateInFPS": 133.0, "FrameTimeInMs": None}, "133 per second is written whatever the truth"),
        ({"AcqRateInFPS": 60.0}, "states both 60 and 30 per second"),
    ],
)
def test_a_frame_rate_that_cannot_be_trusted_is_not_taken_and_told(read, calibration, match):
    images = read(document(frame(3, LUMEN), **calibration)).images
    assert images.frame_rate_hz is None
    assert images.frame_spacing_mm is None
    assert any(match in note for note in images.notes)


def test_a_rate_alone_and_a_frame_time_alone_do(read):
    for calibration in ({"FrameTimeInMs": None}, {"AcqRateInFPS": None}):
        images = read(document(frame(3, LUMEN), **calibration)).images
        assert images.frame_spacing_mm == pytest.approx(0.5 / 30.0, rel=1e-5)


def test_nothing_is_said_of_what_the_file_leaves_out(read):
    images = read(document(frame(3, LUMEN), **dict.fromkeys(CALIBRATION))).images
    assert (images.pixel_spacing_mm, images.frame_rate_hz, images.frame_spacing_mm) == (None, None, None)


def test_empty_contours_and_kinds_of_no_use_here_are_passed_over(read):
    file = read(document(frame(3, LUMEN), frame(4, contour("L", [])), frame(5, contour("X", ["1,1"]))))
    assert {kind: sorted(each) for kind, each in file.contours.items()} == {"lumen": [3]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_encoding_that_the_file_declares_is_read(read, encoding):
    declared = "" if encoding.startswith("utf") else f'<?xml version="1.0" encoding="{encoding}"?>'
    text = document(frame(3, LUMEN), start=declared).replace(NAME, f"{NAME}\u00e9")
    assert sorted(read(text.encode(encoding)).contours["lumen"]) == [3]


BOMB = '<!DOCTYPE a [<!ENTITY b "' + "x" * 1000 + '"><!ENTITY c "&b;&b;&b;&b;">]>'
FILE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("<AnalysisState>", "found broken XML .no element found"),
        ("<AnalysisState><a></AnalysisState>", "found broken XML .mismatched tag"),
        ("<html><p>1,1</p></html>", "found XML of something else"),
        (document(frame(3, LUMEN), start=BOMB), "found XML with a document type"),
        (document(frame(3, LUMEN), start=FILE), "found XML with a document type"),
        (document(frame(3, LUMEN), start=FILE).encode("utf-16"), "found XML with a document type"),
        (document(frame(3, LUMEN), start="<!DOCTYPE html>"), "found XML with a document type"),
        (document(frame(3, LUMEN)).replace("T</HandDrawn>", "&b;</HandDrawn>"), "undefined entity"),
        (document(frame(3, LUMEN), start='<?xml version="1.0" encoding="zz"?>'), "found broken XML"),
        (document(frame(3, LUMEN), relative=NAME), "ImageRelativePoints: found another value"),
        (document(frame(3, contour("L", points(9.0), count=23))), "found 24 points, expected 23 .Npts"),
        (document(frame(3, contour("L", points(9.0), count="x"))), "Npts: found 'x', expected a number"),
        (document(frame(3, contour("L", points(9.0), count=1.5))), "Npts: found 1.5, expected a whole"),
        (
            document(frame(3, contour("L", ["1,1", "2,2"]))),
            r"frame 3 \(from 0\), lumen: found a contour needs",
        ),
        (document(frame(3, contour("L", ["1,1", "2,2", "3,3"]))), "must enclose an area"),
        (document(frame(3, contour("L", ["1,1", "2,2", "3"]))), "found a point '3', expected x,y"),
        (document(frame(3, contour("L", ["1,1", "2,2", "nan,1"]))), r"point 3: found \(nan, 1\)"),
        (document(frame(3, contour("L", ["1,1", "2,2", "1e9,1"]))), r"point 3: found \(1e\+09, 1\)"),
        (document(frame(40, LUMEN)), "Fm, Num: found 40, expected 0 to 39 .NumberOfFrames"),
        (document(frame(-1, LUMEN)), "Num: found -1, expected a whole number from 0"),
        (document(frame("", LUMEN)), "Fm: found a frame without Num"),
        (document(frame(3, LUMEN), count=10**8), "NumberOfFrames: found 100000000"),
        (document(frame(3, LUMEN), XCalibration="nan"), "XCalibration: found 'nan', expected a finite"),
        (document(frame(3, LUMEN), YCalibration="0,02"), "YCalibration: found '0,02', expected a number"),
    ],
)
def test_broken_files_are_refused_without_a_name_in_the_message(read, content, match):
    with pytest.raises(InputError, match=match) as error:
        read(content)
    assert NAME not in str(error.value)


def test_depth_without_end_is_refused_or_read_but_never_a_crash(read):
    depth = 200_000
    with pytest.raises(InputError, match="something else"):
        read("<a>" * depth + "</a>" * depth)
