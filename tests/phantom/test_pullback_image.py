from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from coreg.phantom import CctaSettings, make_patient, make_pullback_images, preset, pullback_preset
from coreg.phantom.ccta_image import shown_lumen
from coreg.phantom.guide_wire import WIRE_RADIUS_MM, GuideWire
from coreg.phantom.plaque import make_wall
from coreg.phantom.rotation_error import image_angle, true_angles
from coreg.phantom.vessel_tissue import CALCIFIED_PLAQUE, Vessel, vessel_labels
from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN
from coreg.volume import Volume

SEED = 7
FRAMES = (3, 40, 100, 240, 290, 300)
# A frame of the patient that shows calcium, and one at the mouth of a side branch.
CALCIUM, MOUTH = 300, 240


@pytest.fixture(scope="module")
def patient():
    return make_patient(SEED)


@pytest.fixture(scope="module")
def oct_images(patient):
    return make_pullback_images(patient, size=256, frames=FRAMES)


@pytest.fixture(scope="module")
def even(patient):
    """The same without distortion, blood and console."""
    return make_pullback_images(patient, size=256, frames=FRAMES, settings=pullback_preset("easy"))


@pytest.fixture(scope="module")
def ivus_patient():
    """Through the heartbeat, in which the lumen swells."""
    settings = preset("typical", modality="IVUS")
    return make_patient(
        SEED, settings=replace(settings, ivus_acquisition="motorized", run_range_mm=(8.0, 8.0))
    )


@pytest.fixture(scope="module")
def ivus_images(ivus_patient):
    return make_pullback_images(ivus_patient, size=256, frames=(34, 35, 203))


def test_progress_tells_the_share_of_the_frames_that_is_drawn(patient):
    shares = []
    make_pullback_images(patient, size=64, frames=(3, 40, 100, 240), progress=shares.append)
    assert shares == [0.0, 0.25, 0.5, 0.75]


def pose(patient, frame):
    """Origin and axes of a frame."""
    (row,) = np.flatnonzero(patient.truth.frame == frame)
    return patient.truth.origin_mm[row], np.column_stack([patient.truth.column[row], patient.truth.row[row]])


def rays(count):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)])


def first_outside_mm(level, patient, frame, directions, reach_mm, *, step_mm=0.005):
    """March along rays in the image plane in small steps; the lumen swells in the plane about its axis."""
    origin, axes = pose(patient, frame)
    factor = patient.motion.lumen_factor[frame]
    axis_point = patient.lumen.axis.at(patient.lumen.axis.locate(origin[None])[0])[0][0]
    centre = origin + axes @ (axes.T @ (axis_point - origin))
    r = np.arange(0.0, reach_mm, step_mm)
    found = np.empty(len(directions))
    for i, direction in enumerate(directions):
        world = origin + r[:, None] * (axes @ direction)
        outside = level(centre + (world - centre) / factor) > 0.0
        found[i] = r[np.argmax(outside)] if outside.any() else reach_mm
    return found


def around(images, row, distance_mm):
    """Grey values at distances (A,) or (A, K) from the catheter along equal angles."""
    directions = rays(len(distance_mm))
    distance = np.atleast_2d(distance_mm.T).T
    xy = distance[..., None] * directions[:, None]
    column, line = np.moveaxis(xy / images.pixel_spacing_mm + images.catheter_px, -1, 0)
    return map_coordinates(images.pixels[row].astype(float), [line, column], order=1)


def band(images, row, wall_mm, first_mm, last_mm):
    """Mean grey (A,) between two depths behind a wall (A,)."""
    return around(images, row, wall_mm[:, None] + np.linspace(first_mm, last_mm, 8)).mean(axis=1)


def test_images_have_the_geometry_of_the_field_of_view(oct_images, patient):
    images = oct_images.images
    assert images.pixels.shape == (len(FRAMES), 256, 256)
    assert images.field_of_view_mm == patient.field_of_view_mm
    y, x = np.mgrid[:256, :256]
    distance = np.hypot(*((np.stack([x, y], -1) - images.catheter_px) * images.pixel_spacing_mm).T).T
    assert (images.pixels[:, distance > images.field_of_view_mm] == 0).all()
    rim = (distance > images.field_of_view_mm - 0.1) & (distance < images.field_of_view_mm - 0.02)
    assert (images.pixels[:, rim] > 0).mean() > 0.9


@pytest.mark.parametrize("frame", FRAMES)
def test_lumen_and_wall_are_where_a_march_in_small_steps_leaves_them(patient, even, frame):
    row = FRAMES.index(frame)
    some = slice(None, None, 16)
    directions = rays(512)[some]
    lumen = first_outside_mm(patient.lumen.level, patient, frame, directions, 5.0)
    wall = first_outside_mm(patient.lumen.main_level, patient, frame, directions, 5.0)
    # Half a step of the march, and what its first step over a carina's tip skips.
    assert np.abs(even.wall_mm[row][some] - wall).max() < 0.006
    assert np.quantile(np.abs(even.lumen_mm[row][some] - lumen), 0.9) < 0.006


def test_lumen_swells_with_the_pulse(ivus_patient, ivus_images):
    assert np.ptp(ivus_patient.motion.lumen_factor) > 0.02
    late = int(np.argmax(ivus_patient.motion.lumen_factor))
    images = make_pullback_images(ivus_patient, size=64, frames=(late,))
    directions = rays(256)[::16]
    wall = first_outside_mm(ivus_patient.lumen.main_level, ivus_patient, late, directions, 5.0)
    # The axis is met a little differently from a catheter that leans.
    assert np.abs(images.wall_mm[0][::16] - wall).max() < 0.02


def test_outlines_lie_where_the_picture_turns_bright_also_with_uneven_rotation(oct_images):
    for row in range(1, len(FRAMES)):
        seen = oct_images.vessel.state[row] == SEEN
        seen &= oct_images.wall_mm[row] > 0.7
        wall = oct_images.wall_mm[row]
        before, behind = (
            band(oct_images.images, row, wall, -0.12, -0.06),
            band(oct_images.images, row, wall, 0.06, 0.12),
        )
        assert np.median(behind[seen]) > 70.0
        assert np.median(before[seen]) < 25.0
        assert (behind > before + 20.0)[seen].mean() > 0.9


def test_oct_tissue_fades_with_depth_and_the_lumen_is_black(even):
    for row in range(len(FRAMES)):
        seen = even.vessel.state[row] == SEEN
        wall = even.wall_mm[row]
        near, deep, deeper = (
            band(even.images, row, wall, *depth)[seen].mean()
            for depth in ((0.03, 0.15), (0.5, 0.7), (1.2, 1.4))
        )
        assert near > deep + 20.0 > deeper + 30.0
        assert deeper < 25.0


def test_behind_the_guide_wire_it_is_dark(even):
    for row in range(len(FRAMES)):
        wall, state = even.wall_mm[row], even.vessel.state[row]
        middle = np.convolve(np.r_[state, state, state] == BRIDGED, np.ones(9), "same")[512:1024] == 9
        hidden = middle & (wall > 1.0)
        assert 15 < np.count_nonzero(state == BRIDGED) * 360 / 512 < 60
        shadow, lit = (
            band(even.images, row, wall, 0.05, 0.3)[each].mean() for each in (hidden, state == SEEN)
        )
        assert shadow < 20.0 < 60.0 < lit


def test_a_wire_hides_the_angle_that_its_width_takes():
    wire = GuideWire(1.0, 0.72)
    angle = 2.0 * np.pi * np.arange(3600) / 3600
    assert wire.hides(angle).mean() * 2.0 * np.pi == pytest.approx(
        2.0 * np.arcsin(WIRE_RADIUS_MM / 0.72), abs=2e-3
    )
    front = wire.front_mm(angle)
    hit = np.isfinite(front)
    points = front[hit, None] * rays(3600)[hit]
    centre = 0.72 * np.array([np.cos(1.0), np.sin(1.0)])
    np.testing.assert_allclose(np.linalg.norm(points - centre, axis=1), WIRE_RADIUS_MM, atol=1e-9)


def test_membrane_lies_outside_the_wall_and_calcium_between_them(oct_images, patient):
    vessel = oct_images.vessel
    assert (vessel.eem_mm >= vessel.wall_mm).all()
    assert (vessel.lumen_mm >= vessel.wall_mm - 1e-9).all()
    healthy = (vessel.eem_mm - vessel.wall_mm)[vessel.wall_mm < 4.0]
    assert 0.15 < np.median(healthy) < 0.6
    assert oct_images.calcium[FRAMES.index(CALCIUM)].mean() > 0.2
    assert any(arc.first_frame <= CALCIUM <= arc.last_frame for arc in vessel.calcium)


def test_calcium_is_that_of_the_ccta():
    patient = make_patient(SEED, settings=preset("clean"))
    settings = CctaSettings()
    frames = range(0, len(patient.truth.frame), 12)
    drawn = make_pullback_images(patient, size=64, frames=frames, settings=pullback_preset("easy"))
    lumen, healthy = shown_lumen(patient, settings)
    wall = make_wall(SEED, lumen, healthy, settings)
    vessel = Vessel(lumen, wall, np.zeros(len(lumen.radius_mm)), None)
    # A grid so fine that its indices are places.
    fine = Volume(np.zeros((1, 1, 1), dtype=np.uint8), np.diag([1e-3, 1e-3, 1e-3, 1.0])[[2, 1, 0, 3]])
    hits = []
    for row in np.flatnonzero(drawn.calcium.any(axis=1)):
        origin, axes = pose(patient, drawn.frame[row])
        hard = drawn.calcium[row]
        # Behind the fibrous cap, before the thinnest calcium ends.
        inner = drawn.vessel.wall_mm[row][hard] + 0.25
        world = origin + inner[:, None] * (rays(512)[hard] @ axes.T)
        labels = vessel_labels(fine, np.rint(fine.to_index(world)).astype(int), vessel)
        hits.append((labels == CALCIFIED_PLAQUE).mean())
    assert len(hits) >= 3
    assert np.mean(hits) > 0.6


def test_calcium_does_not_close_a_mouth():
    patient = make_patient(310, settings=preset("typical", modality="IVUS"))
    drawn = make_pullback_images(patient, size=256, frames=(121,))
    wall, lumen = drawn.vessel.wall_mm[0], drawn.vessel.lumen_mm[0]
    mouth = (drawn.vessel.state[0] == OPEN) & (lumen > wall + 1.5)
    assert mouth.any()
    assert not drawn.calcium[0][mouth].any()
    assert drawn.calcium[0].mean() > 0.5
    # Behind calcium there is its shadow, in the mouth the speckle of blood.
    grey = band(drawn.images, 0, wall, 0.8, 1.2)
    assert np.median(grey[mouth]) > 3.0 * np.median(grey[drawn.calcium[0]])


def test_a_side_branch_is_open_and_dark(even, patient):
    row = FRAMES.index(MOUTH)
    vessel = even.vessel
    branch = next(each for each in vessel.side_branches if each.first_frame <= MOUTH <= each.last_frame)
    line = round((branch.angle_rad % (2.0 * np.pi)) * 512 / (2.0 * np.pi)) % 512
    opened = vessel.state[row] == OPEN
    assert opened[line]
    assert (vessel.lumen_mm - vessel.wall_mm)[row][opened].max() > 1.0
    wall = vessel.wall_mm[row]
    deep = opened & (vessel.lumen_mm[row] > wall + 0.4)
    assert band(even.images, row, wall, 0.05, 0.3)[deep].mean() < 15.0
    landmark = next(each for each in patient.side_branches if each.id == branch.id)
    assert branch.angle_rad == pytest.approx(landmark.angle_rad, abs=0.02)
    assert branch.radius_mm == landmark.radius_mm


def test_side_branches_name_the_frames_that_show_their_mouths(patient):
    frames = tuple(range(228, 252))
    drawn = make_pullback_images(patient, size=64, frames=frames, settings=pullback_preset("easy"))
    (branch,) = drawn.vessel.side_branches
    opened = [frame for frame, row in zip(frames, drawn.vessel.state, strict=True) if (row == OPEN).any()]
    assert branch.first_frame <= branch.frame <= branch.last_frame
    assert abs(branch.first_frame - opened[0]) <= 1
    assert abs(branch.last_frame - opened[-1]) <= 1


def test_the_same_arguments_give_the_same_images_and_each_frame_stands_alone(patient, oct_images):
    again = make_pullback_images(patient, size=256, frames=FRAMES[2:4])
    np.testing.assert_array_equal(again.images.pixels, oct_images.images.pixels[2:4])
    np.testing.assert_array_equal(again.lumen_mm, oct_images.lumen_mm[2:4])
    np.testing.assert_array_equal(again.vessel.state, oct_images.vessel.state[2:4])


def speckle_correlation(drawn, first, second):
    """Correlation of two images in the adventitia and beyond, and in blood, without their slow parts."""
    images, rows = drawn.images, [first, second]
    y, x = np.mgrid[:256, :256]
    xy = (np.stack([x, y], -1) - images.catheter_px) * images.pixel_spacing_mm
    distance = np.hypot(xy[..., 0], xy[..., 1])
    turn = (np.arctan2(xy[..., 1], xy[..., 0]) % (2.0 * np.pi)) / (2.0 * np.pi)
    line = np.rint(256 * turn).astype(int) % 256
    seen = ((drawn.vessel.state[rows] == SEEN) & ~drawn.calcium[rows]).all(axis=0)[line]
    wall, eem = drawn.wall_mm[rows].min(axis=0)[line], drawn.eem_mm[rows].max(axis=0)[line]
    blood = seen & (distance > 0.8) & (distance < wall - 0.25)
    tissue = seen & (distance > eem + 0.3) & (distance < 3.5)
    assert blood.sum() > 300
    assert tissue.sum() > 1000
    grey = images.pixels[rows].astype(float)
    fine = [each - gaussian_filter(each, 6.0) for each in grey]
    return [np.corrcoef(fine[0][where], fine[1][where])[0, 1] for where in (tissue, blood)]


def test_speckle_of_tissue_stays_where_the_catheter_rests_and_that_of_blood_does_not(
    ivus_patient, ivus_images
):
    origin = [pose(ivus_patient, frame)[0] for frame in ivus_images.frame]
    assert np.linalg.norm(origin[1] - origin[0]) < 0.02
    tissue, blood = speckle_correlation(ivus_images, 0, 1)
    assert tissue > 0.9
    assert abs(blood) < 0.3
    assert np.linalg.norm(origin[2] - origin[0]) > 0.5
    assert speckle_correlation(ivus_images, 0, 2)[0] < 0.3


def test_ivus_shows_speckled_blood_a_bright_adventitia_and_shadows_behind_calcium(patient):
    settings = preset("typical", modality="IVUS")
    drawn = make_pullback_images(make_patient(SEED, settings=settings), size=256, frames=(20, 99, 100))
    images, vessel = drawn.images, drawn.vessel
    for row in range(3):
        clear = (vessel.state[row] == SEEN) & ~drawn.calcium[row]
        outside = band(images, row, vessel.eem_mm[row], 0.05, 0.3)
        blood = band(images, row, vessel.wall_mm[row], -0.4, -0.1)
        wide = clear & (vessel.wall_mm[row] > 1.2)
        assert outside[clear].mean() > blood[wide].mean() + 60.0
        assert blood[wide].mean() > 10.0
    hard = drawn.calcium[2]
    assert hard.mean() > 0.1
    assert not vessel.eem_seen[2][hard].any()
    inner = np.convolve(np.r_[hard, hard, hard], np.ones(31), "same")[256:512] == 31
    # Past the second echo of the front.
    shadow = band(images, 2, np.full(256, 3.6), 0.0, 0.8)[inner & (vessel.state[2] == SEEN)]
    assert shadow.mean() < 40.0


def test_higher_frequencies_show_brighter_blood(patient):
    frames = (20, 60)
    level = []
    ivus = make_patient(SEED, settings=preset("typical", modality="IVUS"))
    for mhz in (20.0, 40.0, 60.0):
        settings = replace(pullback_preset("easy", modality="IVUS"), frequency_mhz=mhz)
        drawn = make_pullback_images(ivus, size=256, frames=frames, settings=settings)
        wide = (drawn.wall_mm[0] > 1.2) & (drawn.vessel.state[0] == SEEN)
        level.append(band(drawn.images, 0, drawn.wall_mm[0], -0.4, -0.1)[wide].mean())
    assert level[0] + 10.0 < level[1] < level[2] - 10.0


def test_rotation_errors_have_no_mean_and_can_be_undone():
    settings = pullback_preset("hard")
    angles = true_angles(SEED, 40, settings)
    equal = 2.0 * np.pi * np.arange(512) / 512
    np.testing.assert_allclose((angles - equal).mean(axis=1), 0.0, atol=1e-12)
    assert 0.02 < (angles - equal).std() < 0.12
    shown = [image_angle(angles[5], angles[5, k]) for k in range(0, 512, 8)]
    apart = (np.array(shown) - equal[::8] + np.pi) % (2.0 * np.pi) - np.pi
    # Near the seam an angle may be seen twice.
    assert np.median(np.abs(apart)) < 1e-9
    assert np.abs(apart).max() < np.radians(8.0)


def test_a_solid_state_catheter_does_not_distort():
    angles = true_angles(SEED, 3, pullback_preset("hard", modality="IVUS"))
    np.testing.assert_array_equal(angles, np.tile(2.0 * np.pi * np.arange(256) / 256, (3, 1)))


def test_console_marks_are_black_and_listed_in_the_images_and_bright_on_the_screen(oct_images, even):
    images = oct_images.images
    assert images.hidden.any()
    assert (images.pixels[:, images.hidden] == 0).all()
    screen = oct_images.screen()
    assert (screen[:, oct_images.overlay > 0] == oct_images.overlay[oct_images.overlay > 0]).all()
    clear = (oct_images.overlay == 0) & (images.pixels > 0).any(axis=0)
    np.testing.assert_array_equal(screen[:, clear], images.pixels[:, clear])
    # The frame's number changes.
    assert (screen[0] != images.pixels[0])[:20, :60].any()
    assert (screen[0] != screen[1])[:20, :60].any()
    assert not even.images.hidden.any()
    np.testing.assert_array_equal(even.screen(), even.images.pixels)


def test_frames_in_the_guide_catheter_are_of_no_use():
    settings = replace(preset("typical"), ending_odds=(1.0, 0.0))
    patient = make_patient(9, settings=settings)
    last = len(patient.truth.frame) - 1
    vessel = make_pullback_images(patient, size=64, frames=(100, last)).vessel
    assert vessel.reason == ("", "in the guide catheter")
    assert vessel.quality.tolist() == [1.0, 0.0]
    assert 0.4 < vessel.lumen_mm[1].min() < vessel.lumen_mm[1].max() < 1.5


def test_blood_hides_the_wall_and_is_said():
    settings = replace(
        pullback_preset("hard"),
        blood_share=(0.3, 0.3),
        blood_fall_per_mm=(150.0, 150.0),
        distortion_deg=(0, 0),
    )
    drawn = make_pullback_images(make_patient(SEED), size=256, frames=(0, 1, 2), settings=settings)
    assert "residual blood" in drawn.vessel.reason
    row = drawn.vessel.reason.index("residual blood")
    state, wall = drawn.vessel.state[row], drawn.wall_mm[row]
    behind = band(drawn.images, row, wall, 0.05, 0.15)
    assert behind[state == BLOOD].mean() < 65.0
    assert (state == BLOOD).mean() > 0.4


def test_a_small_view_ends_before_the_wall():
    settings = replace(preset("typical"), small_view_odds=1.0)
    patient = make_patient(1, settings=settings)
    assert patient.field_of_view_mm < 3.1
    drawn = make_pullback_images(patient, size=64, frames=range(0, 340, 20))
    beyond = drawn.vessel.state == BEYOND
    assert beyond.any()
    assert (drawn.wall_mm[beyond] == pytest.approx(patient.field_of_view_mm)) if beyond.any() else False
    assert drawn.eem_mm.max() <= patient.field_of_view_mm + 1e-9


def test_settings_refuse_what_no_catheter_does():
    with pytest.raises(ValueError, match=r"frequency_mhz must be from 5 to 100, got 1\.0"):
        replace(pullback_preset("easy"), frequency_mhz=1.0)
    with pytest.raises(ValueError, match="angles must be at least 64, got 8"):
        replace(pullback_preset("easy"), angles=8)
    with pytest.raises(ValueError, match="level must be easy, typical or hard, got 'clean'"):
        pullback_preset("clean")


def test_frames_that_do_not_exist_are_refused(patient):
    last = len(patient.truth.frame) - 1
    with pytest.raises(ValueError, match=rf"frames must rise within 0 to {last}, got \[2, {last + 1}\]"):
        make_pullback_images(patient, frames=(2, last + 1))
