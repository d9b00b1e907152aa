"""Everything that a registration looks at, prepared and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from coreg.case import Case
from coreg.centerline import Centerline
from coreg.errors import InputError, RegistrationError
from coreg.pullback import Pullback
from coreg.registration.observations import Observations, observe
from coreg.registration.path_model import VesselTensors, slope_operator
from coreg.registration.vessel import Vessel, prepare_vessel
from coreg.segmentation import centerline_from_label
from coreg.settings import RegistrationSettings, motion_of
from coreg.surface import Surface

POINTS = 48
BEFORE_OSTIUM_MM = 15.0
SHORTEST_MM = 3.0
FEWEST_FRAMES = 5


@dataclass(frozen=True, eq=False)
class Scene:
    """A case, prepared for registration.

    Attributes
    ----------
    case : Case
        As given.
    settings : RegistrationSettings
        With the motion prior that fits the case.
    device : torch.device
        Where to compute.
    centerline : Centerline
        Of the case's vessel, along which results are counted.
    vessel : Vessel
        The CCTA's lumen along it.
    tensors : VesselTensors
        The same on the device.
    seen : Observations
        The pullback's lumens.
    """

    case: Case
    settings: RegistrationSettings
    device: torch.device
    centerline: Centerline
    vessel: Vessel
    tensors: VesselTensors
    seen: Observations

    @cached_property
    def slope(self) -> torch.Tensor:
        """Takes values (N,) at all frames to their derivative by depth, (N, N)."""
        position = self.case.pullback.position_mm
        operator = slope_operator(position.max() - position)
        return torch.as_tensor(operator, dtype=torch.float64, device=self.device)


def prepare_scene(case: Case, settings: RegistrationSettings, device: torch.device) -> Scene:
    """Prepare a case.

    Raises
    ------
    InputError
        If the centerline does not lie in the lumen, or the label does not connect the clicks.
    RegistrationError
        If the pullback has too few outlined frames, or they span too little.
    """
    centerline = vessel_centerline(case)
    vessel = prepare_vessel(case.known_lumen, _from_ostium(centerline))
    if vessel.valid.mean() < 0.3:
        msg = (
            f"ccta.centerline: {vessel.valid.mean():.0%} of it lies in a vessel of ccta.lumen, expected most "
            "of it; are both of one patient and in LPS?"
        )
        raise InputError(msg)
    seen = observed(case.pullback, settings)
    _check_enough(seen)
    settings = replace(settings, motion=settings.motion or motion_of(case.pullback.acquisition))
    return Scene(case, settings, device, centerline, vessel, VesselTensors.on(vessel, device), seen)


def observed(pullback: Pullback, settings: RegistrationSettings) -> Observations:
    """Gather the contours of a pullback as finely as registration looks at them."""
    return observe(pullback, points=POINTS, correlation_mm2=settings.surface.correlation_mm2)


def vessel_centerline(case: Case) -> Centerline:
    """Return the centerline of the case's vessel: as given, else from the lumen label.

    Raises
    ------
    InputError
        If neither a centerline nor a label with two clicks is there.
    """
    if case.tree is not None:
        return case.tree.vessel(case.ostium_mm, case.distal_mm)
    lumen = case.known_lumen
    if isinstance(lumen, Surface) or case.ostium_mm is None or case.distal_mm is None:
        msg = (
            "ccta.centerline: found none, expected one, or a label image as ccta.lumen together with "
            "ccta.ostium and ccta.distal, from which it can be found"
        )
        raise InputError(msg)
    return centerline_from_label(lumen, case.ostium_mm, case.distal_mm)


def _from_ostium(centerline: Centerline) -> Centerline:
    """Leave off what lies far before the ostium: the aorta and beyond."""
    keep = centerline.arc_length_mm >= -BEFORE_OSTIUM_MM
    if keep.all() or keep.sum() < 2:
        return centerline
    points = centerline.points_mm[keep]
    return Centerline(points, None, float(-centerline.arc_length_mm[keep][0]))


def _check_enough(seen: Observations) -> None:
    if len(seen.row) < FEWEST_FRAMES:
        msg = f"pullback: {len(seen.row)} frames have a contour and a say; registration needs {FEWEST_FRAMES}"
        raise RegistrationError(msg)
    length = float(np.ptp(seen.depth_mm))
    if length < SHORTEST_MM:
        msg = f"pullback: its outlined frames span {length:.2f} mm; registration needs {SHORTEST_MM:g} mm"
        raise RegistrationError(msg)
