"""Free-form deformation of straightened volumes: the generic non-rigid registration.

Rueckert D. et al. Nonrigid registration using free-form deformations. IEEE Transactions on Medical
Imaging 18(8), 712-721, 1999, by SimpleITK. Fixed is the CCTA's signed distance along a given path, moving
the pullback's, its images stacked straight; both saturate away from the wall. The field knows nothing
of catheters, so frames are put where their lumen points go, as well as rigid images can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from coreg.errors import RegistrationError
from coreg.registration.placement import Placement, frame_depth_mm
from coreg.registration.scene import Scene
from coreg.registration.straightened import (
    StraightGrid,
    extended,
    lumen_points_mm,
    pullback_distance_mm,
    vessel_distance_mm,
)

FloatArray = npt.NDArray[np.float64]

INVERSIONS = 30


@dataclass(frozen=True)
class FreeForm:
    """How volumes are made and bent.

    Attributes
    ----------
    voxel_mm, margin_mm : float
        Of the straight grid: voxel size, and how far it reaches beyond the lumen.
    width_mm : float
        Where distances saturate.
    near_mm : float
        Only voxels so close to the CCTA's wall are compared.
    mesh_mm : float
        Spacing of control points along the vessel.
    mesh_across : int
        Meshes of control points across it.
    share : float
        Of the voxels that is compared.
    iterations : int
        At most so many.
    """

    voxel_mm: float = 0.3
    margin_mm: float = 0.6
    width_mm: float = 1.0
    near_mm: float = 1.0
    mesh_mm: float = 2.0
    mesh_across: int = 2
    share: float = 0.2
    iterations: int = 20


def free_form(
    scene: Scene, functions: FloatArray, log_scale: float, settings: FreeForm | None = None
) -> Placement:
    """Bend a pullback's lumen onto the CCTA's, and place the frames accordingly.

    Parameters
    ----------
    scene : Scene
        What is registered.
    functions : (5, N) array
        Where to start from, at all frames: a rigid placement, or any other.
    log_scale : float
        Logarithm of CCTA radius over pullback radius; kept.
    settings : FreeForm, optional
        Volumes and spline.

    Returns
    -------
    Placement
        ``cost`` is the mean square difference of the saturated distances.

    Raises
    ------
    RegistrationError
        If the volumes do not overlap.
    """
    settings = settings or FreeForm()
    grid = _grid(scene, log_scale, settings)
    distance = vessel_distance_mm(scene, functions, grid)
    place = extended(grid.depth_mm, frame_depth_mm(scene), functions[0])
    inside = (place >= scene.tensors.first_mm) & (place <= scene.tensors.last_mm)
    near = (np.abs(distance) < settings.near_mm) & inside[:, None, None]
    fixed = _image(np.tanh(distance / settings.width_mm), grid)
    moving = _image(np.tanh(pullback_distance_mm(scene, log_scale, grid) / settings.width_mm), grid)
    field, cost = _field(fixed, moving, _image(near, grid), settings)
    return Placement(_functions(scene, functions, log_scale, grid, field), log_scale, cost)


def _grid(scene: Scene, log_scale: float, settings: FreeForm) -> StraightGrid:
    step, depth = settings.voxel_mm, scene.seen.depth_mm
    radius = float(np.quantile(np.linalg.norm(lumen_points_mm(scene, log_scale), axis=2), 0.99))
    half = int(np.ceil((radius + settings.margin_mm) / step))
    planes = np.arange(int(np.ptp(depth) / step) + 1, dtype=np.float64)
    return StraightGrid(depth[0] + step * planes, step * np.arange(-half, half + 1, dtype=np.float64))


def _image(values: npt.NDArray[np.generic], grid: StraightGrid) -> sitk.Image:
    kind = np.uint8 if values.dtype == np.bool_ else np.float32
    image = sitk.GetImageFromArray(values.astype(kind))
    step = float(grid.across_mm[1] - grid.across_mm[0])
    image.SetSpacing([step, step, step])
    image.SetOrigin([float(grid.across_mm[0]), float(grid.across_mm[0]), float(grid.depth_mm[0])])
    return image


def _field(
    fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, settings: FreeForm
) -> tuple[FloatArray, float]:
    """Displacement (Z, W, W, 3) from fixed to moving as x, y, z, and the metric at the end."""
    length = fixed.GetSize()[2] * fixed.GetSpacing()[2]
    mesh = [settings.mesh_across, settings.mesh_across, max(1, round(length / settings.mesh_mm))]
    method = sitk.ImageRegistrationMethod()
    # Several would add up the metric in any order, and the same case would end elsewhere each time.
    method.SetNumberOfThreads(1)
    method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(settings.share)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-7, numberOfIterations=settings.iterations)
    method.SetInitialTransformAsBSpline(sitk.BSplineTransformInitializer(fixed, mesh), inPlace=True)
    try:
        found = method.Execute(fixed, moving)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        msg = f"bspline: the straightened volumes could not be registered ({reason})"
        raise RegistrationError(msg) from error
    field = sitk.TransformToDisplacementField(
        found,
        sitk.sitkVectorFloat64,
        fixed.GetSize(),
        fixed.GetOrigin(),
        fixed.GetSpacing(),
        fixed.GetDirection(),
    )
    return sitk.GetArrayFromImage(field), float(method.GetMetricValue())


def inverted(field: FloatArray, grid: StraightGrid, points: FloatArray) -> FloatArray:
    """Points (P, 3) that a field takes to given ones, as x, y, depth; by fixed-point iteration.

    Parameters
    ----------
    field : (Z, W, W, 3) array
        Displacements as x, y, depth, mm.
    grid : StraightGrid
        Where the field is known; constant beyond.
    points : (P, 3) array
        Where to arrive.
    """
    first = np.array([grid.across_mm[0], grid.across_mm[0], grid.depth_mm[0]])
    step = grid.across_mm[1] - grid.across_mm[0]
    found = points.copy()
    for _ in range(INVERSIONS):
        index = ((found - first) / step).T[::-1]
        moved = [map_coordinates(part, index, order=1, mode="nearest") for part in np.moveaxis(field, -1, 0)]
        # Half a step at a time does not swing where the field is steep.
        found = 0.5 * (found + points - np.stack(moved, axis=1))
    return found


def _functions(
    scene: Scene, start: FloatArray, log_scale: float, grid: StraightGrid, field: FloatArray
) -> FloatArray:
    """Functions (5, N) of all frames from where the field puts their lumen points."""
    points, seen = lumen_points_mm(scene, log_scale), scene.seen
    depth, frames = seen.depth_mm, frame_depth_mm(scene)
    stacked = np.dstack([points, np.broadcast_to(depth[:, None], points.shape[:2])])
    put = inverted(field, grid, stacked.reshape(-1, 3)).reshape(stacked.shape)
    turn, shift = rigid_fits(points, put[..., :2])
    # Coordinates of the straight grid are those of the start's path, at the depth that was found.
    found = put[..., 2].mean(axis=1)
    arc_length, rotation, u, v = (extended(found, frames, each) for each in start[:4])
    cosine, sine = np.cos(rotation), np.sin(rotation)
    u = u + cosine * shift[:, 0] - sine * shift[:, 1]
    v = v + sine * shift[:, 0] + cosine * shift[:, 1]
    functions = start.copy()
    # Frames beyond the outlined ones follow the start.
    for k, each in enumerate((arc_length, rotation + turn, u, v)):
        functions[k] += np.interp(frames, depth, each - np.interp(depth, frames, start[k]))
    return functions


def rigid_fits(points: FloatArray, put: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn (M,) in rad and shift (M, 2) that take points (M, K, 2) to others with least squares.

    Umeyama S. IEEE Transactions on Pattern Analysis and Machine Intelligence 13(4), 376-380, 1991; in
    the plane it has a closed form.
    """
    middle, there = points.mean(axis=1), put.mean(axis=1)
    before, after = points - middle[:, None], put - there[:, None]
    across = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    turn = np.arctan2(across.sum(axis=1), (before * after).sum(axis=(1, 2)))
    cosine, sine = np.cos(turn), np.sin(turn)
    x = cosine * middle[:, 0] - sine * middle[:, 1]
    y = sine * middle[:, 0] + cosine * middle[:, 1]
    return turn, there - np.column_stack([x, y])
