"""Pixels of a pullback in DICOM: colours, compression, depth and damage."""

import io

import gdcm
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from coreg.errors import InputError
from coreg.io.grey_frames import grey_frames, greying_of
from coreg.io.pullback_image_files import open_frames

LOSSY_LEVELS = 8.0


def grey_of(path):
    source = open_frames(path)
    inside = np.ones((source.rows, source.columns), dtype=bool)
    frames = list(grey_frames(source, greying_of(source, inside)))
    return np.stack([grey for grey, _ in frames]), [drawn for _, drawn in frames]


def as_colours(frames):
    return np.repeat(frames[..., None], 3, axis=-1)


def sepia(frames):
    levels = np.arange(256)
    table = np.stack([np.minimum(1.25 * levels, 255), 0.75 * levels, 0.35 * levels], axis=-1)
    return np.rint(table).astype(np.uint8)[frames]


def transcoded(path, syntax):
    """Write a file again in another transfer syntax, by GDCM."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


@pytest.fixture
def frames(pullback_files):
    return pullback_files.frames(count=5)


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        gdcm.TransferSyntax.JPEGLSLossless,
        gdcm.TransferSyntax.JPEG2000Lossless,
        gdcm.TransferSyntax.RLELossless,
        gdcm.TransferSyntax.ExplicitVRBigEndian,
    ],
)
def test_lossless_compression_gives_the_same_grey_values(pullback_files, tmp_path, frames, syntax):
    path = transcoded(pullback_files.pullback(tmp_path / "pullback.dcm", frames), syntax)
    np.testing.assert_array_equal(grey_of(path)[0], frames)


@pytest.mark.parametrize("syntax", [gdcm.TransferSyntax.JPEGLSLossless, gdcm.TransferSyntax.RLELossless])
def test_colours_with_the_same_picture_in_all_channels_are_grey(pullback_files, tmp_path, frames, syntax):
    path = transcoded(pullback_files.pullback(tmp_path / "pullback.dcm", as_colours(frames)), syntax)
    grey, drawn = grey_of(path)
    np.testing.assert_array_equal(grey, frames)
    assert drawn == [None] * len(frames)


def jpeg(pullback_files, path, frames, interpretation):
    """Write baseline JPEG; Pillow stores luma and chroma."""
    packed = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=95, subsampling=0)
        packed.append(file.getvalue())
    made = pullback_files.made(frames, PhotometricInterpretation=interpretation)
    made.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    made.PixelData = encapsulate(packed)
    return pullback_files.save(path, made)


@pytest.mark.parametrize("interpretation", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_jpeg_colours_are_sepia_of_the_same_luminance(pullback_files, tmp_path, frames, interpretation):
    path = jpeg(pullback_files, tmp_path / "pullback.dcm", sepia(frames), interpretation)
    expected = sepia(frames) @ [0.299, 0.587, 0.114]
    grey, drawn = grey_of(path)
    assert np.abs(grey - expected).mean() < 2.0
    assert sum(0 if each is None else np.count_nonzero(each) for each in drawn) < 0.001 * frames.size


def test_jpeg_of_grey_values_is_grey(pullback_files, tmp_path, frames):
    grey, _ = grey_of(jpeg(pullback_files, tmp_path / "pullback.dcm", frames, "MONOCHROME2"))
    assert np.abs(grey.astype(int) - frames).max() < 40
    assert np.abs(grey.astype(int) - frames).mean() < LOSSY_LEVELS / 4


def test_sepia_becomes_its_luminance_and_a_green_line_on_it_is_found(pullback_files, tmp_path, frames):
    coloured = sepia(frames)
    coloured[2, 40:42, 20:70] = [0, 220, 40]
    grey, drawn = grey_of(pullback_files.pullback(tmp_path / "pullback.dcm", coloured))
    expected = np.rint(sepia(frames) @ [0.299, 0.587, 0.114])
    assert np.abs(grey[3] - expected[3]).max() <= 1.0
    assert drawn[2][40:42, 20:70].all()
    assert np.count_nonzero(drawn[2]) < 4 * 52
    assert [each is None for each in drawn] == [True, True, False, True, True]


def test_a_palette_is_applied(pullback_files, tmp_path, frames):
    made = pullback_files.made(frames, PhotometricInterpretation="PALETTE COLOR")
    table = (np.arange(256)[::-1] * 257).astype("<u2")
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", table.tobytes())
    grey, _ = grey_of(pullback_files.save(tmp_path / "pullback.dcm", made))
    shown = 255.0 - frames
    assert np.corrcoef(grey.ravel(), shown.ravel())[0, 1] > 0.9999


def test_monochrome1_is_turned_about(pullback_files, tmp_path, frames):
    path = pullback_files.pullback(
        tmp_path / "pullback.dcm", 255 - frames, PhotometricInterpretation="MONOCHROME1"
    )
    grey, _ = grey_of(path)
    assert np.corrcoef(grey.ravel(), frames.ravel())[0, 1] > 0.9999


def test_sixteen_bits_get_one_window_for_all_frames(pullback_files, tmp_path, frames):
    deep = frames.astype(np.uint16) * 200
    deep[3] //= 4
    grey, _ = grey_of(pullback_files.pullback(tmp_path / "pullback.dcm", deep))
    assert grey.max() == 255
    ratio = grey[3].astype(float).sum() / (grey[2].astype(float).sum())
    assert ratio == pytest.approx(deep[3].sum() / deep[2].sum(), rel=0.05)


@pytest.mark.parametrize(
    "syntax", [None, gdcm.TransferSyntax.JPEGLSLossless, gdcm.TransferSyntax.RLELossless]
)
def test_pixels_that_are_cut_off_are_refused(pullback_files, tmp_path, frames, syntax):
    path = pullback_files.pullback(tmp_path / "pullback.dcm", frames)
    if syntax is not None:
        transcoded(path, syntax)
    content = path.read_bytes()
    path.write_bytes(content[: -frames[0].size // 4 - 300])
    with pytest.raises(InputError, match=r"frame . .from 0.: found pixels .* expected whole frames"):
        grey_of(path)


def test_of_pixels_that_cannot_be_decoded_only_our_message_is_told(
    pullback_files, tmp_path, frames, capfd, caplog
):
    made = pullback_files.made(frames)
    made.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    made.PixelData = encapsulate([b"\xff\x4f" + bytes(500)] * len(frames))
    path = pullback_files.save(tmp_path / "pullback.dcm", made)
    with pytest.raises(InputError, match=r"frame 0 .from 0.: found pixels that cannot be decoded"):
        grey_of(path)
    assert caplog.text == capfd.readouterr().err == ""


def test_a_damaged_kind_of_value_is_refused(pullback_files, tmp_path, frames):
    path = pullback_files.pullback(tmp_path / "pullback.dcm", frames)
    content = path.read_bytes()
    photometric = b"\x28\x00\x04\x00"
    assert content.count(photometric + b"CS") == 1
    path.write_bytes(content.replace(photometric + b"CS", photometric + b"C\xfc"))
    with pytest.raises(InputError, match=r"frame 0 .from 0.: found a file that is cut off or damaged"):
        grey_of(path)


def test_an_unknown_transfer_syntax_is_refused_without_its_uid(pullback_files, tmp_path, frames):
    made = pullback_files.made(frames)
    made.file_meta.TransferSyntaxUID = f"{pullback_files.identity[-1]}.99"
    path = tmp_path / "pullback.dcm"
    made.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    with pytest.raises(InputError, match=r"found pixels in an unknown transfer syntax, which") as caught:
        grey_of(path)
    assert pullback_files.identity[-1] not in str(caught.value)
