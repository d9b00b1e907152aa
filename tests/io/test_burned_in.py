"""Burned-in texts and marks cannot be read any more; anatomy, rings and wires are left."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from coreg.io.case_file import load_pullback

SIZE, COUNT = 300, 40
CENTRE = (SIZE - 1) / 2.0


def picture(size=SIZE, count=COUNT):
    """Frames with a wall, a moving wire, bright struts in some, catheter rings, and noise."""
    rng = np.random.default_rng(11)
    across = np.arange(size) - (size - 1) / 2.0
    x, y = np.meshgrid(across, across)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    frames = []
    for i in range(count):
        depth = (
            np.hypot(x - 14 * np.sin(0.4 * i), y - 11 * np.cos(0.3 * i))
            - 70
            - 8 * np.sin(2 * angle + 0.2 * i)
        )
        grey = 5.0 + 90.0 * np.exp(-np.maximum(depth, 0.0) / 35.0) * (depth > 0.0)
        grey *= rng.gamma(5.0, 0.2, x.shape)
        wire = np.hypot(x - 40 * np.cos(0.25 * i), y - 40 * np.sin(0.25 * i))
        grey[wire < 5] = 230.0
        if 15 <= i < 30:
            for k in range(10):
                turn = 0.63 * k + 0.3 * i
                strut = np.hypot(x - 66 * np.cos(turn), y - 66 * np.sin(turn))
                grey[strut < 2.5] = 245.0
        rings = np.exp(-(((r - 20) / 1.5) ** 2)) + np.exp(-(((r - 12) / 1.0) ** 2))
        grey = np.maximum(grey, 140.0 * rings * rng.gamma(30.0, 1 / 30.0, x.shape))
        grey[r > 0.495 * size] = 0.0
        frames.append(np.clip(grey, 0.0, 255.0))
    return np.rint(frames).astype(np.uint8)


def mask_of(draw_on, size=SIZE):
    canvas = Image.new("L", (size, size))
    draw_on(ImageDraw.Draw(canvas))
    return np.asarray(canvas)


def text(place, words="ZZSURNAME^JO 4711", height=18):
    def draw_on(draw):
        draw.text(place, words, fill=255, font=ImageFont.load_default(height))

    return mask_of(draw_on)


def burned(frames, drawn, only=slice(None)):
    made = frames.copy()
    made[only] = np.maximum(made[only], drawn)
    return made


@pytest.fixture
def images(tmp_path):
    """Write frames as PNG and read them as a case does."""

    def run(frames):
        folder = tmp_path / "frames"
        folder.mkdir()
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"f{i}.png")
        keys = 'image = "frames"\nmodality = "OCT"\npixel_spacing_mm = 0.02\nframe_spacing_mm = 0.2'
        (tmp_path / "case.toml").write_text(f'id = "P1"\n[pullback]\n{keys}\n')
        return load_pullback(tmp_path).known_images

    return run


def circle(shape=(SIZE, SIZE)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(x - CENTRE, y - CENTRE) <= CENTRE


@pytest.mark.parametrize(
    ("place", "height"),
    [((2, 2), 10), ((170, 280), 14), ((70, 60), 18), ((55, 145), 18), ((60, 200), 12), ((30, 110), 40)],
    ids=["corner", "bottom", "wall", "through the catheter", "small", "large"],
)
def test_no_letter_of_a_burned_in_name_is_left(images, place, height):
    drawn = text(place, height=height)
    assert np.count_nonzero(drawn > 128) > 100
    pixels = images(burned(picture(), drawn)).pixels
    assert not pixels[:, drawn > 0].any()


def squeezed(frames, quality):
    """Frames as JPEG leaves them."""
    made = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=quality)
        made.append(np.asarray(Image.open(file)))
    return np.stack(made)


@pytest.mark.parametrize("count", [12, 40])
@pytest.mark.parametrize("opacity", [1.0, 0.6, 0.4])
def test_no_letter_of_a_name_that_tissue_shines_through_is_left(images, count, opacity):
    drawn = text((55, 145))
    share = opacity * drawn / 255.0
    frames = np.rint((1.0 - share) * picture(count=count) + share * 235.0).astype(np.uint8)
    read = images(frames)
    assert read.hidden[drawn > 90].all()


def test_of_a_name_in_jpeg_frames_not_even_the_shape_is_left(images):
    drawn = text((55, 145))
    read = images(squeezed(burned(picture(), drawn), 60))
    assert not read.pixels[:, drawn > 0].any()
    # What is black of the line of text hardly differs from its box.
    rows, columns = np.nonzero(drawn > 128)
    box = read.hidden[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert box.mean() > 0.97


def test_a_name_in_speckle_is_hidden_however_bright_the_speckle(images):
    rng = np.random.default_rng(8)
    drawn = text((55, 145))
    coarse = gaussian_filter(rng.standard_normal((30, SIZE, SIZE)), (0.0, 2.0, 2.0))
    frames = np.clip(110.0 * np.exp(0.45 * coarse / coarse.std()), 0.0, 255.0) * circle()
    read = images(burned(frames.astype(np.uint8), np.minimum(drawn, 235)))
    assert read.hidden[drawn > 90].all()


def test_the_border_of_a_run_of_few_frames_is_left(images):
    frames = picture(count=12)
    read = images(frames)
    deep = np.hypot(*(np.mgrid[:SIZE, :SIZE] - CENTRE)) < 0.47 * SIZE
    assert np.count_nonzero(read.hidden & deep) < 0.003 * np.count_nonzero(deep)


def test_on_frames_without_marks_nearly_nothing_is_hidden(images):
    read = images(picture())
    inside = circle()
    assert np.count_nonzero(read.hidden & inside) < 0.001 * np.count_nonzero(inside) + 4 * SIZE
    deep = np.hypot(*(np.mgrid[:SIZE, :SIZE] - CENTRE)) < 0.47 * SIZE
    assert np.count_nonzero(read.hidden & deep) < 0.001 * np.count_nonzero(deep)
    assert sum(np.count_nonzero(each) for each in read.marks.values()) < 0.001 * np.count_nonzero(inside)


def test_rings_of_the_catheter_wires_and_struts_are_left(images):
    frames = picture()
    pixels = images(frames).pixels
    deep = np.hypot(*(np.mgrid[:SIZE, :SIZE] - CENTRE)) < 0.47 * SIZE
    np.testing.assert_array_equal(pixels[:, deep], frames[:, deep])


def test_a_dashed_axis_and_dots_on_all_frames_are_hidden(images):
    def axis(draw):
        for k in range(-6, 7):
            x, y = CENTRE + 20 * k, CENTRE + 9 * k
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=200)
            draw.line((x, y, x + 10, y + 4.5), fill=110)

    drawn = mask_of(axis)
    read = images(burned(picture(), drawn))
    away = np.hypot(*(np.mgrid[:SIZE, :SIZE] - CENTRE)) > 26
    assert (read.hidden | (drawn < 100))[away].all()
    assert not read.pixels[:, (drawn >= 100) & away].any()
    assert not read.marks


def test_of_a_mark_without_soft_edges_nothing_but_the_mark_is_hidden(images):
    def ruler(draw):
        draw.line([(60, 75), (240, 110)], fill=110)
        for x, y in ((90, 81), (150, 92), (210, 104)):
            draw.rectangle((x - 1, y - 1, x + 1, y + 1), fill=225)

    drawn = mask_of(ruler)
    frames = picture()
    frames[:, drawn > 0] = drawn[drawn > 0]
    read = images(frames)
    deep = np.hypot(*(np.mgrid[:SIZE, :SIZE] - CENTRE)) < 0.47 * SIZE
    np.testing.assert_array_equal(read.hidden & deep, drawn > 0)


def test_tissue_that_is_bright_in_nearly_all_frames_is_left(images):
    rng = np.random.default_rng(5)
    frames = picture()
    y, x = np.mgrid[:SIZE, :SIZE]
    plaque = np.hypot(x - 230, y - 150) < 3.5
    shine = rng.uniform(60.0, 160.0, COUNT)[:, None] * rng.gamma(20.0, 0.05, (COUNT, int(plaque.sum())))
    frames[:, plaque] = np.clip(shine, 0.0, 255.0)
    read = images(frames)
    assert not (read.hidden & plaque).any()


def test_the_border_of_a_lumen_that_stays_in_place_is_left(images):
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:SIZE, :SIZE] - CENTRE
    depth = np.hypot(x, y) - 70.0
    wall = 5.0 + 160.0 * np.exp(-np.maximum(depth, 0.0) / 8.0) * (depth > 0.0) * (np.arctan2(y, x) > 0.0)
    frames = np.clip(wall * rng.gamma(16.0, 1 / 16.0, (COUNT, SIZE, SIZE)), 0.0, 255.0).astype(np.uint8)
    drawn = mask_of(lambda draw: draw.line([(40, 20), (110, 140)], fill=110))
    frames[:, drawn > 0] = 110
    read = images(frames)
    assert read.hidden[drawn > 0].all()
    border = (np.abs(depth - 3.0) < 3.0) & (y > 0.0)
    assert np.count_nonzero(read.hidden & border) < 0.01 * np.count_nonzero(border)


def test_the_blurred_edges_of_a_wire_on_a_few_frames_are_no_drawing(images):
    frames = picture()
    y, x = np.mgrid[:SIZE, :SIZE] - CENTRE
    arc = np.exp(-(((np.hypot(x, y) - 30.0) / 6.0) ** 2) - (np.arctan2(y, x) / 1.8) ** 2)
    frames[20:22] = np.maximum(frames[20:22], 245.0 * arc)
    assert np.count_nonzero(245.0 * arc > 210.0) > 100
    read = images(frames)
    assert not read.marks


def test_a_measurement_on_one_frame_is_a_mark_of_that_frame(images):
    def measurement(draw):
        draw.line([(90, 80), (200, 90), (210, 200), (95, 190), (90, 80)], fill=255, width=2)
        draw.text((200, 40), "3.20mm", fill=255)

    drawn = mask_of(measurement)
    frames = burned(picture(), drawn, only=7)
    read = images(frames)
    assert sorted(read.marks) == [7]
    assert not read.pixels[7][drawn > 128].any()
    assert np.count_nonzero(read.marks[7]) < 6 * np.count_nonzero(drawn)
    np.testing.assert_array_equal(read.pixels[8][~read.hidden], frames[8][~read.hidden])


def test_a_longitudinal_view_beside_the_picture_is_black(images):
    frames = picture()
    rng = np.random.default_rng(3)
    panel = rng.integers(0, 255, (len(frames), 60, SIZE), dtype=np.uint8)
    wide = np.concatenate([panel, frames, panel], axis=1)
    read = images(wide)
    assert read.catheter_px.tolist() == [CENTRE, CENTRE + 60]
    assert not read.pixels[:, :60].any()
    assert not read.pixels[:, -60:].any()
    assert read.field_of_view_mm == pytest.approx(0.495 * SIZE * 0.02, abs=0.05)


def test_what_was_blacked_is_said(images):
    read = images(burned(picture(), text((70, 60))))
    assert any("marks on all frames were blacked" in each for each in read.notes)


@pytest.mark.parametrize(("count", "few"), [(8, True), (40, False)])
def test_of_few_frames_what_was_blacked_is_doubted(images, count, few):
    read = images(burned(picture(count=count), text((70, 60))))
    assert any(each.startswith(f"in only {count} frames a wall that stays") for each in read.notes) is few
