"""Pullbacks as pictures, pages and stacks."""

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from coreg.errors import InputError
from coreg.io.case_file import load_pullback
from coreg.io.picture_files import natural_key
from coreg.io.pullback_image_files import open_frames

FULL = {"modality": '"IVUS"', "pixel_spacing_mm": 0.05, "frame_spacing_mm": 0.1}


@pytest.fixture
def frames(pullback_files):
    return pullback_files.frames()


def load(folder, image, **keys):
    lines = [f"{key} = {value}" for key, value in keys.items()]
    (folder / "case.toml").write_text("\n".join(['id = "P1"', "[pullback]", f'image = "{image}"', *lines]))
    return load_pullback(folder)


def save_pictures(folder, frames, ending="png", name="frame{}"):
    folder.mkdir()
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{name.format(i)}.{ending}")
    return folder


def save_stack(path, frames, spacing_mm):
    image = sitk.GetImageFromArray(frames)
    image.SetSpacing(spacing_mm)
    sitk.WriteImage(image, str(path))
    return path


def planes_of(path):
    source = open_frames(path)
    return np.stack(list(source.planes(range(source.count))))


def assert_same_inside(images, frames):
    seen = ~images.hidden
    assert np.count_nonzero(seen) > 0.6 * seen.size
    np.testing.assert_array_equal(images.pixels[:, seen], frames[:, seen])


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_pictures_come_in_the_natural_order_of_their_names(tmp_path, frames, ending):
    save_pictures(tmp_path / "run", frames, ending)
    np.testing.assert_array_equal(planes_of(tmp_path / "run"), frames)


def test_jpeg_pictures_are_read(tmp_path, frames):
    save_pictures(tmp_path / "run", frames, "jpg")
    assert np.abs(planes_of(tmp_path / "run").astype(int) - frames).mean() < 10.0


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["f10", "f9", "f1"], ["f1", "f9", "f10"]),
        (["b1", "A2", "a10"], ["A2", "a10", "b1"]),
        (["1_10", "1_2", "02_1"], ["1_2", "1_10", "02_1"]),
        (["10", "frame"], ["frame", "10"]),
    ],
)
def test_the_natural_order_goes_by_the_numbers_in_names(names, expected):
    assert sorted(names, key=natural_key) == expected


def test_a_case_of_pictures_has_all_its_facts_from_its_keys(tmp_path, frames):
    save_pictures(tmp_path / "run", frames)
    case = load(tmp_path, "run", **FULL)
    assert case.pullback.frame_spacing_mm == pytest.approx(0.1)
    assert case.pullback.lumen == {}
    assert case.pullback.field_of_view_mm == case.known_images.field_of_view_mm
    assert_same_inside(case.known_images, frames)
    assert case.known_images.sources["catheter_px"] == "the centre of the image"


@pytest.mark.parametrize("name", ["run.nrrd", "run.nii.gz", "run.mha"])
def test_a_stack_says_its_spacings(tmp_path, frames, name):
    save_stack(tmp_path / name, frames, (0.05, 0.05, 0.2))
    case = load(tmp_path, name, modality='"IVUS"')
    assert case.pullback.frame_spacing_mm == pytest.approx(0.2)
    assert case.known_images.pixel_spacing_mm.tolist() == pytest.approx([0.05, 0.05])
    assert_same_inside(case.known_images, frames)


def test_a_stack_of_1_mm_everywhere_says_nothing(tmp_path, frames):
    save_stack(tmp_path / "run.nrrd", frames, (1.0, 1.0, 1.0))
    with pytest.raises(
        InputError, match=r"pullback\.pixel_spacing_mm: found nothing, and a spacing of 1 x 1"
    ):
        load(tmp_path, "run.nrrd", modality='"IVUS"', frame_spacing_mm=0.2)
    with pytest.raises(
        InputError, match=r"pullback\.frame_spacing_mm: found nothing, and a third spacing of"
    ):
        load(tmp_path, "run.nrrd", modality='"IVUS"', pixel_spacing_mm=0.05)


def test_a_stack_of_frames_1_mm_apart_is_doubted_unless_the_case_says_so(tmp_path, frames):
    save_stack(tmp_path / "run.nrrd", frames, (0.05, 0.05, 1.0))
    silent = load(tmp_path, "run.nrrd", modality='"IVUS"')
    assert silent.pullback.frame_spacing_mm == pytest.approx(1.0)
    (note,) = silent.known_images.notes
    assert note.startswith(
        "frames are taken to be 1 mm apart from the file (its third spacing, exactly 1 mm)"
    )
    assert not load(tmp_path, "run.nrrd", modality='"IVUS"', frame_spacing_mm=1.0).known_images.notes


def test_a_picture_without_a_number_among_frames_is_refused_and_not_named(tmp_path, frames):
    save_pictures(tmp_path / "run", frames)
    Image.fromarray(frames[0]).save(tmp_path / "run" / "smith.png")
    found = rf"found 1 picture without a number in the name \(picture {len(frames) + 1} of {len(frames) + 1} "
    with pytest.raises(InputError, match=found) as caught:
        load(tmp_path, "run", **FULL)
    assert "smith" not in str(caught.value)


def test_pictures_whose_names_are_of_two_kinds_are_noted(tmp_path, frames):
    save_pictures(tmp_path / "run", frames)
    Image.fromarray(frames[0]).save(tmp_path / "run" / "overview1.png")
    (note,) = load(tmp_path, "run", **FULL).known_images.notes
    assert note == "the names of the pictures are of 2 kinds; all are taken as frames of one pullback"


def test_floats_of_any_scale_become_grey_in_one_window(tmp_path, frames):
    save_stack(tmp_path / "run.nrrd", frames.astype(np.float32) / 255.0, (0.05, 0.05, 0.2))
    pixels = load(tmp_path, "run.nrrd", modality='"IVUS"').known_images.pixels
    assert pixels.max() == 255
    assert np.corrcoef(pixels.ravel(), frames.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pages_of_a_tiff_are_frames(tmp_path, frames, depth):
    pages = [Image.fromarray(frame.astype(depth)) for frame in frames]
    pages[0].save(tmp_path / "run.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    np.testing.assert_array_equal(planes_of(tmp_path / "run.tif"), frames)


def test_gaps_in_the_numbers_of_pictures_are_said(tmp_path, frames):
    save_pictures(tmp_path / "run", frames)
    assert open_frames(tmp_path / "run").facts.notes == ()
    (tmp_path / "run" / "frame5.png").unlink()
    (note,) = open_frames(tmp_path / "run").facts.notes
    assert "have gaps" in note


class TestBadPictures:
    def test_an_empty_folder_is_refused(self, tmp_path):
        (tmp_path / "run").mkdir()
        with pytest.raises(
            InputError, match=r"pullback\.image: .*run: found a folder without frames, expected"
        ):
            load(tmp_path, "run", **FULL)

    def test_mixed_sizes_are_refused(self, tmp_path, frames):
        save_pictures(tmp_path / "run", [*frames, frames[0][:90]])
        with pytest.raises(InputError, match=r"size: found a frame of 96 x 90 pixels \(frame 12, from 0\)"):
            load(tmp_path, "run", **FULL)

    def test_a_broken_picture_is_refused_without_its_name(self, tmp_path, frames):
        folder = save_pictures(tmp_path / "run", frames, name="ZZNAME{}")
        file = folder / "ZZNAME7.png"
        file.write_bytes(file.read_bytes()[:2000])
        with pytest.raises(InputError, match=r"a picture \(frame 7, from 0\) that cannot be read") as caught:
            load(tmp_path, "run", **FULL)
        assert "ZZNAME" not in str(caught.value)

    @pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
    def test_a_tiff_that_is_cut_off_is_refused_without_a_warning(self, tmp_path, frames, share):
        file = tmp_path / "run.tif"
        pages = [Image.fromarray(each) for each in frames]
        pages[0].save(file, save_all=True, append_images=pages[1:])
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"a picture.* that cannot be read \(cut off or damaged\?\)"):
            load(tmp_path, "run.tif", **FULL)

    def test_pages_with_nan_are_refused(self, tmp_path, frames):
        grey = frames.astype(np.float32)
        grey[3, 5, 5] = np.nan
        pages = [Image.fromarray(each) for each in grey]
        pages[0].save(tmp_path / "run.tif", save_all=True, append_images=pages[1:])
        with pytest.raises(InputError, match=r"pixels: found NaN or infinity \(frame 3, from 0\), expected"):
            load(tmp_path, "run.tif", **FULL)

    def test_a_single_frame_is_refused(self, tmp_path, frames):
        save_pictures(tmp_path / "run", frames[:1])
        with pytest.raises(InputError, match=r"pullback\.image: found 1 frame, expected .* at least 2"):
            load(tmp_path, "run", **FULL)

    def test_ct_numbers_are_refused(self, tmp_path):
        save_stack(tmp_path / "ct.nrrd", np.full((20, 40, 40), -900, np.int16), (0.4, 0.4, 0.5))
        with pytest.raises(InputError, match=r"values from -900 \(CT numbers\?\), expected .* ccta\.image"):
            load(tmp_path, "ct.nrrd", modality='"OCT"')

    def test_pages_of_another_size_are_refused(self, tmp_path, frames):
        pages = [Image.fromarray(each) for each in [*frames, frames[0][:80]]]
        pages[0].save(tmp_path / "run.tif", save_all=True, append_images=pages[1:])
        with pytest.raises(InputError, match=r"found a page of 96 x 80 pixels"):
            load(tmp_path, "run.tif", **FULL)

    def test_pictures_beside_dicom_files_are_refused(self, tmp_path, frames, pullback_files):
        folder = save_pictures(tmp_path / "run", frames)
        pullback_files.pullback(folder / "pullback.dcm")
        with pytest.raises(
            InputError, match=r"found 12 pictures and 1 DICOM files, expected a folder of either"
        ):
            load(tmp_path, "run", **FULL)


class TestContoursBesideAnImage:
    def write(self, folder, lumen, frames, count):
        save_stack(folder / "run.nrrd", frames, (0.05, 0.05, 0.2))
        angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
        rows = [
            f"{frame},lumen,{i},{np.cos(each)},{np.sin(each)}"
            for frame in range(count)
            for i, each in enumerate(angle)
        ]
        (folder / "contours.csv").write_text("\n".join(["frame,kind,point,x_mm,y_mm", *rows]))
        y, x = np.mgrid[:96, :96] - 47.5
        disc = (np.hypot(x, y) < 20).astype(np.uint8)
        save_stack(folder / "stack.nrrd", np.repeat(disc[None], count, axis=0), (0.05, 0.05, 0.2))
        return load(folder, "run.nrrd", modality='"IVUS"', lumen=f'"{lumen}"')

    @pytest.mark.parametrize("lumen", ["contours.csv", "stack.nrrd"])
    def test_of_the_same_pullback_load_with_it(self, tmp_path, frames, lumen):
        case = self.write(tmp_path, lumen, frames, 12)
        assert len(case.pullback.lumen) == len(case.known_images) == 12
        assert case.pullback.frame_spacing_mm == pytest.approx(0.2)

    def test_may_lack_frames_of_the_image(self, tmp_path, frames):
        case = self.write(tmp_path, "contours.csv", frames, 7)
        assert len(case.pullback) == 12
        assert sorted(case.pullback.lumen) == list(range(7))

    @pytest.mark.parametrize(
        ("lumen", "found"),
        [
            ("contours.csv", r"a contour for frame 19 \(from 0\), expected frames of the image, 0 to 11"),
            ("stack.nrrd", r"size \(20, 96, 96\), expected the image's size .* \(12, 96, 96\)"),
        ],
    )
    def test_of_another_pullback_are_refused(self, tmp_path, frames, lumen, found):
        with pytest.raises(InputError, match=rf"pullback\.lumen: found {found}; are these another pullback"):
            self.write(tmp_path, lumen, frames, 20)
