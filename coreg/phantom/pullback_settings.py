"""What kind of pullback images to make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coreg.phantom.ccta_settings import ImageLevel
from coreg.pullback import Modality
from coreg.pullback_images import CatheterType


@dataclass(frozen=True, kw_only=True)
class PullbackImageSettings:
    """Ranges from which the facts of the images are drawn. Pairs are lowest and highest value.

    Attributes
    ----------
    angles : int
        Lines of sight in a turn; the truth is given along each.
    frequency_mhz : float
        Of the ultrasound: with it grow resolution, attenuation and the brightness of blood.
    catheter_type : str
        ``rotating``, or ``solid-state`` for IVUS without rotational distortion.
    distortion_deg : pair
        Standard deviation of the error of angles within a frame (rotating catheters).
    seam_deg : pair
        How far the catheter turns while it takes a frame, a step at one angle (rotating catheters).
    noise_db : pair
        Noise of the receiver against that of a good one.
    wire_odds : float
        That a guide wire lies beside the catheter.
    blood_share : pair
        Of the frames with residual blood (OCT).
    blood_fall_per_mm : pair
        Light that it takes per mm where it is dense, in grey values (OCT).
    oct_depth_mm : float
        Depth of tissue to which OCT sees the membrane.
    console : bool
        Whether a scale and text are burned in, as consoles do.
    """

    angles: int = 512
    frequency_mhz: float = 20.0
    catheter_type: CatheterType = "rotating"
    distortion_deg: tuple[float, float] = (1.0, 3.0)
    seam_deg: tuple[float, float] = (0.0, 2.0)
    noise_db: tuple[float, float] = (0.0, 2.0)
    wire_odds: float = 1.0
    blood_share: tuple[float, float] = (0.02, 0.10)
    blood_fall_per_mm: tuple[float, float] = (25.0, 80.0)
    oct_depth_mm: float = 1.0
    console: bool = True

    def __post_init__(self) -> None:
        if self.angles < 64:
            msg = f"angles must be at least 64, got {self.angles}"
            raise ValueError(msg)
        if not 5.0 <= self.frequency_mhz <= 100.0:
            msg = f"frequency_mhz must be from 5 to 100, got {self.frequency_mhz}"
            raise ValueError(msg)


def pullback_preset(level: ImageLevel, *, modality: Modality = "OCT") -> PullbackImageSettings:
    """Return the settings of a level of difficulty.

    Parameters
    ----------
    level : str
        ``easy``: no distortion, no blood, no console marks. ``typical``: as clinical images are.
        ``hard``: also what spoils some of them.
    modality : str
        OCT, or IVUS of a solid-state catheter of 20 MHz.

    Examples
    --------
    >>> pullback_preset("easy").blood_share
    (0.0, 0.0)
    """
    typical = PullbackImageSettings()
    if modality == "IVUS":
        typical = replace(typical, catheter_type="solid-state", angles=256)
    if level == "typical":
        return typical
    if level == "easy":
        return replace(
            typical,
            distortion_deg=(0.0, 0.0),
            seam_deg=(0.0, 0.0),
            noise_db=(-3.0, -3.0),
            blood_share=(0.0, 0.0),
            console=False,
        )
    if level == "hard":
        return replace(
            typical,
            distortion_deg=(2.0, 5.0),
            seam_deg=(0.0, 4.0),
            noise_db=(2.0, 5.0),
            blood_share=(0.1, 0.3),
            blood_fall_per_mm=(50.0, 150.0),
        )
    msg = f"level must be easy, typical or hard, got {level!r}"
    raise ValueError(msg)
