from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label, map_coordinates
from scipy.spatial import cKDTree

from coreg.phantom import (
    CctaSettings,
    ExtraPlaque,
    ccta_preset,
    lumen_surface,
    make_ccta,
    make_patient,
    preset,
    wall_surface,
)
from coreg.phantom.ccta import aorta_centre_mm
from coreg.phantom.plaque import make_wall, narrowed
from coreg.phantom.stent import draw_stent
from coreg.phantom.tissue import MUSCLE_HU, Scene, surroundings
from coreg.phantom.vein import draw_vein
from coreg.phantom.vessel_tissue import CALCIFIED_PLAQUE, LUMEN, Vessel, vein_hu, vessel_labels, vessel_voxels
from coreg.volume import Volume

SEED = 7
FINER = 6


@pytest.fixture(scope="module")
def patient():
    return make_patient(SEED)


@pytest.fixture(scope="module")
def ccta(patient):
    return make_ccta(patient)


@pytest.fixture(scope="module")
def bare(ccta):
    """The same artery without branches, whose sections tell its volume."""
    return replace(ccta.vessel, lumen=replace(ccta.lumen, branches=()))


def values_at(volume, world_mm):
    return volume.values[tuple(np.rint(volume.to_index(world_mm)).astype(int).T)].astype(float)


def grid_around(points_mm, *, spacing_mm, margin_mm):
    low, high = points_mm.min(axis=0) - margin_mm, points_mm.max(axis=0) + margin_mm
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = spacing_mm
    matrix[:, 3] = [*low, 1.0]
    shape = np.ceil((high - low) / spacing_mm).astype(int)[::-1] + 1
    return Volume(np.zeros(shape, dtype=np.uint8), matrix)


def wall_points(lumen, wall, s):
    angle = 2.0 * np.pi * np.arange(wall.outer_mm.shape[1]) / wall.outer_mm.shape[1]
    centre, frames = lumen.axis.at(s)
    radius = wall.outer_mm[np.rint(s / lumen.radius_step_mm).astype(int)]
    u, v = radius * np.cos(angle), radius * np.sin(angle)
    across = u[..., None] * frames[:, None, :, 0] + v[..., None] * frames[:, None, :, 1]
    return (centre[:, None] + across).reshape(-1, 3)


def sections_mm3(lumen, radius_mm):
    """Volume of a stack of sections; bends hardly change it."""
    area = 0.5 * (radius_mm**2).sum(axis=1) * (2.0 * np.pi / radius_mm.shape[1])
    return np.trapezoid(area, dx=lumen.radius_step_mm)


def finer(table):
    """A table (S, A) with more rows and columns, bilinear, round the circle."""
    rows, columns = table.shape
    s, a = np.meshgrid(
        np.arange(0.0, rows - 1.0, 1.0 / FINER), np.arange(0.0, columns, 1.0 / FINER), indexing="ij"
    )
    return map_coordinates(np.hstack([table, table[:, :1]]), [s, a], order=1)


def enclosed_mm3(surface):
    a, b, c = (surface.points_mm[surface.faces[:, i]] - surface.points_mm[0] for i in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0


def test_same_patient_and_settings_give_the_same_image(patient, ccta):
    again = make_ccta(patient)
    assert again.image.values.tobytes() == ccta.image.values.tobytes()
    assert again.labels.values.tobytes() == ccta.labels.values.tobytes()
    assert again.facts() == ccta.facts()


def test_images_leave_earlier_phantoms_as_they_were():
    # Numbers of before there were images.
    hard = make_patient(5, settings=replace(preset("hard"), local_errors=None))
    assert hard.lumen.radius_mm.sum() == pytest.approx(38659.16827554306, abs=1e-6)
    assert hard.lumen.axis.points_mm.sum(axis=0) == pytest.approx(
        [-10024.51451096, -108020.45262839, 1715438.87699068], abs=1e-6
    )
    assert hard.case.lumen.values.sum() == 5586


def test_unknown_level_is_named():
    with pytest.raises(ValueError, match="got 'clean'"):
        ccta_preset("clean")


def test_blood_in_the_lumens_core_has_the_stated_contrast_and_noise(ccta):
    s = np.arange(1.0, ccta.lumen.length_mm - 6.0, 0.25)
    points, _ = ccta.lumen.axis.at(s)
    # Where voxels of calcium or wall are more than three standard deviations of the blur away.
    core = ccta.lumen.main_level(points) < -1.3
    along = ccta.lumen.radius_step_mm * np.arange(len(ccta.vessel.contrast_hu))
    error = values_at(ccta.image, points[core]) - np.interp(s[core], along, ccta.vessel.contrast_hu)
    assert core.sum() > 100
    # Neighbouring voxels share their noise, hence some tenth of the samples count.
    assert abs(error.mean()) < 3.0 * ccta.scan.noise_hu / np.sqrt(0.2 * core.sum())
    assert error.std() == pytest.approx(ccta.scan.noise_hu, rel=0.2)


def test_contrast_falls_along_the_vessel_within_its_range(ccta):
    contrast, settings = ccta.vessel.contrast_hu, ccta.settings
    fall = 1.0 - contrast[-1] / contrast[0]
    assert settings.contrast_hu[0] <= contrast[0] <= settings.contrast_hu[1]
    # A tight stenosis takes up to 15 % more.
    assert settings.contrast_fall[0] <= fall <= settings.contrast_fall[1] + 0.15
    assert (np.diff(contrast) < 1e-9).all()


def test_aorta_holds_its_blood_and_opens_into_the_artery(ccta):
    centre = aorta_centre_mm(ccta.lumen)
    offsets = 4.0 * np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    blood = values_at(ccta.image, centre + offsets)
    assert blood.mean() == pytest.approx(ccta.blood.aorta_hu, abs=6.0)
    points, _ = ccta.lumen.axis.at(np.arange(-3.0, 3.0, 0.25))
    assert values_at(ccta.image, points).min() > ccta.blood.aorta_hu - 5.0 * ccta.scan.noise_hu


def test_region_above_a_threshold_runs_into_the_chambers(ccta):
    # What a segmentation must not do: grow from the ostium over all that is bright.
    parts, _ = label(ccta.image.values > 200)
    ostium, _ = ccta.lumen.axis.at(np.array([1.0]))
    grown = (parts == values_at(Volume(parts, ccta.image.index_to_world), ostium)[0]).sum()
    assert grown > 20 * (ccta.labels.values == LUMEN).sum()


def test_lumen_is_the_patients_scaled_with_all_branches(patient, ccta):
    rows = len(patient.lumen.radius_mm)
    np.testing.assert_allclose(
        ccta.lumen.radius_mm[:rows], patient.shown.radius_scale * patient.lumen.radius_mm
    )
    assert [each.id for each in ccta.lumen.branches] == [each.id for each in patient.lumen.branches]
    assert ccta.lumen.length_mm == pytest.approx(patient.lumen.length_mm + 4.0)


def test_labels_have_the_volumes_of_lumen_and_wall(ccta):
    voxel_mm3 = np.prod(ccta.labels.spacing_mm)
    lumen_mm3 = (ccta.labels.values == LUMEN).sum() * voxel_mm3
    vessel_mm3 = (ccta.labels.values > 0).sum() * voxel_mm3
    # Thin ends of branches lose some of their volume in the mesh's corners.
    assert lumen_mm3 == pytest.approx(enclosed_mm3(lumen_surface(ccta.lumen)), rel=0.03)
    assert vessel_mm3 == pytest.approx(enclosed_mm3(wall_surface(ccta.vessel)), rel=0.03)


def test_labels_of_an_artery_without_branches_have_the_volumes_of_its_sections(ccta, bare):
    voxels = vessel_voxels(ccta.labels, bare)
    label_of = vessel_labels(ccta.labels, voxels, bare)
    voxel_mm3 = np.prod(ccta.labels.spacing_mm)
    lumen, wall = bare.lumen, bare.wall
    assert (label_of == LUMEN).sum() * voxel_mm3 == pytest.approx(
        sections_mm3(lumen, lumen.radius_mm), rel=0.02
    )
    assert (label_of > 0).sum() * voxel_mm3 == pytest.approx(sections_mm3(lumen, wall.outer_mm), rel=0.02)
    inner, outer = finer(wall.calcium_inner_mm), finer(wall.calcium_outer_mm)
    ring_mm3 = (sections_mm3(lumen, np.maximum(inner, outer)) - sections_mm3(lumen, inner)) / FINER
    # Half a millimetre of calcium is a voxel or two.
    assert ring_mm3 > 2.0
    assert (label_of == CALCIFIED_PLAQUE).sum() * voxel_mm3 == pytest.approx(ring_mm3, rel=0.15)


def test_plaque_is_listed_where_the_lumen_is_narrowed(patient, ccta):
    s = patient.artery.lumen.radius_step_mm * np.arange(len(patient.lumen.radius_mm))
    loss = 1.0 - (patient.lumen.radius_mm**2).sum(axis=1) / (patient.artery.healthy_radius_mm**2).sum(axis=1)
    stenoses = [each for each in ccta.wall.plaques if each.area_share > 0.0]
    listed = np.any([(s >= each.first_mm) & (s <= each.last_mm) for each in stenoses], axis=0)
    assert loss[listed].max() == pytest.approx(max(each.area_share for each in stenoses), abs=0.01)
    assert loss[~listed].max() < 0.45
    assert (ccta.wall.outer_mm > ccta.lumen.radius_mm + 0.4).all()


def test_forced_plaque_takes_its_share_of_the_lumen(patient):
    extra = ExtraPlaque(30.0, 0.5, "calcified")
    lumen = narrowed(patient.lumen, extra)
    row = round(30.0 / lumen.radius_step_mm)
    area = (lumen.radius_mm[row] ** 2).sum() / (patient.lumen.radius_mm[row] ** 2).sum()
    assert area == pytest.approx(0.5, abs=1e-3)
    settings = CctaSettings(extra_plaque=extra, spots=(0, 0))
    wall = make_wall(SEED, lumen, patient.artery.healthy_radius_mm, settings)
    (there,) = [each for each in wall.plaques if each.first_mm < 30.0 < each.last_mm]
    assert there.kind == "calcified"
    assert there.area_share >= 0.5


def test_chambers_keep_off_the_artery_and_come_close_in_one_place(patient, ccta):
    s = np.arange(8.0, ccta.lumen.length_mm - 4.0, 0.4)
    outer = wall_points(ccta.lumen, ccta.wall, s)
    grid = grid_around(outer, spacing_mm=0.5, margin_mm=4.0)
    scene = Scene(patient.artery.heart, ccta.lumen, ccta.wall, None)
    blood = replace(ccta.blood, right_hu=350.0)
    hu = surroundings(SEED, grid, scene, blood, ccta.settings)
    bright = grid.to_world(np.argwhere(hu > 0.5 * (MUSCLE_HU + 350.0)).astype(float))
    gap, nearest = cKDTree(outer).query(bright)
    # Half a voxel, and a fraction more where levels of every fourth voxel are interpolated.
    assert ccta.settings.auricle_gap_mm - 0.4 < gap.min() < ccta.settings.auricle_gap_mm + 1.0
    close = s[nearest[gap < ccta.settings.chamber_gap_mm - 0.5] // ccta.wall.outer_mm.shape[1]]
    assert np.ptp(close) < 25.0


def test_vein_runs_at_its_stated_gap_with_its_stated_blood(ccta):
    vein = ccta.vein
    beside = vein.gap_mm <= ccta.settings.vein_gap_mm[1]
    off_branches = ccta.lumen.branch_level(vein.points_mm) > 3.0
    # The level function is not a distance where the section is far from round.
    level = ccta.vessel.outer_level(vein.points_mm) - vein.radius_mm
    some = beside & off_branches
    assert some.sum() > 40
    assert np.abs(level - vein.gap_mm)[some].max() < 0.35
    assert ccta.settings.vein_gap_mm[0] <= vein.gap_mm.min()
    assert 0.3 * ccta.lumen.length_mm < beside.sum() * 0.2 < 0.67 * ccta.lumen.length_mm
    core = some & (vein.radius_mm > 1.2)
    hu = values_at(ccta.image, vein.points_mm[core])
    assert hu.mean() == pytest.approx(vein_hu(vein, ccta.vessel), abs=20.0)


def test_vein_may_be_made_to_touch(patient, ccta):
    settings = replace(ccta.settings, vein_gap_mm=(0.0, 0.0))
    vein = draw_vein(SEED, patient.artery.heart, ccta.lumen, ccta.wall, settings)
    beside = vein.gap_mm == 0.0
    level = ccta.vessel.outer_level(vein.points_mm) - vein.radius_mm
    assert beside.sum() > 50
    assert np.median(np.abs(level[beside])) < 0.05


def test_stent_lies_on_the_lumens_wall_over_its_length(ccta, bare):
    stent = draw_stent(SEED, bare.lumen, bare.wall, replace(ccta.settings, stent_odds=1.0))
    assert 10.0 <= stent.last_mm - stent.first_mm <= 20.0
    voxels = vessel_voxels(ccta.labels, bare)
    with_stent = vessel_labels(ccta.labels, voxels, Vessel(bare.lumen, bare.wall, bare.contrast_hu, stent))
    world = ccta.labels.to_world(voxels[with_stent == 5].astype(float))
    s, _, _ = bare.lumen.axis.locate(world)
    above = bare.lumen.main_level(world)
    assert s.min() == pytest.approx(stent.first_mm, abs=0.5)
    assert s.max() == pytest.approx(stent.last_mm, abs=0.5)
    assert above.min() >= 0.0
    assert above.max() <= 0.3


def test_stents_are_rare_in_typical_images(bare):
    drawn = [draw_stent(seed, bare.lumen, bare.wall, CctaSettings()) for seed in range(200)]
    assert np.mean([each is not None for each in drawn]) == pytest.approx(0.125, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 26))
def test_hard_images_are_made(seed):
    patient = make_patient(seed, settings=preset("hard"))
    made = make_ccta(patient, settings=ccta_preset("hard"))
    assert made.image.values.dtype == np.int16
    assert 35.0 <= made.scan.noise_hu <= 45.0
    assert np.isfinite(made.vessel.contrast_hu).all()


@pytest.mark.slow
def test_a_whole_chest_shows_lung_bone_and_air_around_the_artery(patient, ccta):
    chest = make_ccta(patient, field_shape=(240, 512, 512))
    assert chest.image.values.shape == (240, 512, 512)
    assert (chest.labels.values == LUMEN).sum() == pytest.approx(
        (ccta.labels.values == LUMEN).sum(), rel=0.02
    )
    share = [
        ((chest.image.values > a) & (chest.image.values < b)).mean() for a, b in ((-950, -750), (-50, 150))
    ]
    assert min(share) > 0.05
