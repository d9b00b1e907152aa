"""CCTA images of synthetic arteries, with the truth they were made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.phantom.artery import tailed
from coreg.phantom.ccta import VOXEL_MM
from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.lumen import Lumen
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.plaque import VesselWall, make_wall, narrowed
from coreg.phantom.randomness import component_rng
from coreg.phantom.scanner import Scan, draw_scan, moving_part, scanned
from coreg.phantom.stent import draw_stent
from coreg.phantom.tissue import Blood, Scene, draw_blood, surroundings
from coreg.phantom.vein import Vein, draw_vein
from coreg.phantom.vessel_tissue import Vessel, vein_hu, vein_voxels, vessel_hu, vessel_labels, vessel_voxels
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

FIELD_MARGIN_MM = 18.0


@dataclass(frozen=True, eq=False)
class PhantomCcta:
    """A CCTA image and its truth.

    Attributes
    ----------
    image : Volume
        int16 HU on an axis-aligned LPS grid.
    labels : Volume
        uint8 on the image's grid: 0 background, 1 lumen, 2 wall, 3 soft plaque, 4 calcified plaque,
        5 stent. What motion and slabs do to the image, they do not do to the truth.
    vessel : Vessel
        The artery as the image shows it, exact: lumen with all branches and a tail in which it
        ends, outer wall, plaques, stent, contrast.
    vein : Vein or None
        Beside the artery.
    blood : Blood
        Contrast of the large cavities.
    scan : Scan
        Blur, noise, motion and slabs.
    settings : CctaSettings
        How the image was made.
    """

    image: Volume
    labels: Volume
    vessel: Vessel
    vein: Vein | None
    blood: Blood
    scan: Scan
    settings: CctaSettings

    @property
    def lumen(self) -> Lumen:
        """As the image shows it."""
        return self.vessel.lumen

    @property
    def wall(self) -> VesselWall:
        """Outer wall and plaque."""
        return self.vessel.wall

    def facts(self) -> dict[str, str | float]:
        """How the image was made, for a table."""
        scan, stent, vein = self.scan, self.vessel.stent, self.vein
        motion = scan.motion
        return {
            "ccta_aorta_hu": self.blood.aorta_hu,
            "ccta_left_ventricle_hu": self.blood.left_hu,
            "ccta_right_ventricle_hu": self.blood.right_hu,
            "ccta_distal_hu": float(self.vessel.contrast_hu[-1]),
            "ccta_noise_hu": scan.noise_hu,
            "ccta_noise_correlation_mm": scan.noise_correlation_mm,
            "ccta_psf_mm": scan.psf_mm,
            "ccta_psf_z_mm": scan.psf_z_mm,
            "ccta_plaques": len(self.wall.plaques),
            "ccta_vein_gap_mm": "" if vein is None else float(vein.gap_mm.min()),
            "ccta_vein_hu": "" if vein is None else vein_hu(vein, self.vessel),
            "ccta_stent_mm": "" if stent is None else f"{stent.first_mm:.2f} {stent.last_mm:.2f}",
            "ccta_motion_mm": 0.0 if motion is None else motion.travel_mm,
            "ccta_motion_at_mm": "" if motion is None else f"{motion.first_mm:.2f} {motion.last_mm:.2f}",
            "ccta_slabs": " ".join(
                f"{each.first_slice}:{each.shift_mm[0]:.2f},{each.shift_mm[1]:.2f}" for each in scan.slabs
            ),
        }


def make_ccta(
    patient: PhantomPatient,
    *,
    settings: CctaSettings | None = None,
    field_shape: tuple[int, int, int] | None = None,
) -> PhantomCcta:
    """Make the CCTA image of a synthetic patient; the same patient and settings give the same one.

    Parameters
    ----------
    patient : PhantomPatient
        Whose artery is shown, with the radius scale that its label has.
    settings : CctaSettings, optional
        By default a typical image.
    field_shape : triple, optional
        Slices, rows and columns of an image that shows more of the chest, such as
        ``(400, 512, 512)``; by default the artery and 18 mm around it.
    """
    settings = settings or CctaSettings()
    seed, heart = patient.seed, patient.artery.heart
    lumen, healthy = shown_lumen(patient, settings)
    wall = make_wall(seed, lumen, healthy, settings)
    vein = draw_vein(seed, heart, lumen, wall, settings)
    blood = draw_blood(seed, settings)
    contrast = _contrast_along(seed, lumen, healthy, blood, settings)
    vessel = Vessel(lumen, wall, contrast, draw_stent(seed, lumen, wall, settings))
    grid = _grid(seed, lumen, field_shape)
    hu = surroundings(seed, grid, Scene(heart, lumen, wall, vein), blood, settings)
    if vein is not None:
        voxels, share = vein_voxels(grid, vein, vessel)
        where = tuple(voxels.T)
        hu[where] += share * (vein_hu(vein, vessel) - hu[where])
    voxels = vessel_voxels(grid, vessel)
    where = tuple(voxels.T)
    hu[where] = vessel_hu(grid, voxels, hu[where], vessel)
    labels = np.zeros(grid.values.shape, dtype=np.uint8)
    labels[where] = vessel_labels(grid, voxels, vessel)
    scan = draw_scan(seed, grid, lumen, settings)
    if scan.motion is not None:
        box, moved = moving_part(hu, grid, lumen, scan.motion)
        hu[box] = moved
    image = Volume(scanned(seed, hu, grid.spacing_mm, scan), grid.index_to_world)
    return PhantomCcta(image, Volume(labels, grid.index_to_world), vessel, vein, blood, scan, settings)


def shown_lumen(patient: PhantomPatient, settings: CctaSettings) -> tuple[Lumen, FloatArray]:
    """Lumen that the image shows, with a tail, and its table (S, A) without stenoses."""
    true, scale = patient.lumen, patient.shown.radius_scale
    lumen = true.scaled(scale, true.branches, end_mm=true.length_mm)
    if settings.extra_plaque is not None:
        lumen = narrowed(lumen, settings.extra_plaque)
    return tailed(lumen, scale * patient.artery.healthy_radius_mm[: len(lumen.radius_mm)])


def _contrast_along(
    seed: int, lumen: Lumen, healthy_mm: FloatArray, blood: Blood, settings: CctaSettings
) -> FloatArray:
    """Contrast of the blood (S,), which falls along the vessel, most behind tight stenoses."""
    rng = component_rng(seed, "ccta contrast")
    fall = rng.uniform(*settings.contrast_fall)
    share = np.arange(len(lumen.radius_mm)) / (len(lumen.radius_mm) - 1.0)
    left = (lumen.radius_mm**2).sum(axis=1) / (healthy_mm**2).sum(axis=1)
    tightest = np.minimum.accumulate(gaussian_filter1d(left, 5.0))
    lost = 0.15 * np.clip((0.4 - tightest) / 0.4, 0.0, 1.0)
    along: FloatArray = blood.aorta_hu * (1.0 - fall * share) * (1.0 - gaussian_filter1d(lost, 10.0))
    return along


def _grid(seed: int, lumen: Lumen, field_shape: tuple[int, int, int] | None) -> Volume:
    """An empty image around the artery: axis-aligned, LPS."""
    s = lumen.axis.arc_length_mm
    main = lumen.axis.points_mm[(s >= -0.2) & (s <= lumen.length_mm + 0.2)]
    tube = np.vstack([main, *(each.points_mm for each in lumen.branches)])
    voxel = np.array(VOXEL_MM)
    rng = component_rng(seed, "ccta image grid")
    low = tube.min(axis=0) - FIELD_MARGIN_MM - voxel * rng.uniform(0.0, 1.0, 3)
    shape = np.ceil((tube.max(axis=0) + FIELD_MARGIN_MM - low) / voxel).astype(int) + 1
    if field_shape is not None:
        whole = np.array(field_shape[::-1])
        low -= voxel * ((whole - shape) // 2)
        shape = whole
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = voxel
    matrix[:, 3] = [*np.round(low, 2), 1.0]
    # A broadcast zero: a grid needs a shape, not memory.
    return Volume(np.broadcast_to(np.uint8(0), shape[::-1]), matrix)
