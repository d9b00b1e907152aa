"""What kind of CCTA image to make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

ImageLevel = Literal["easy", "typical", "hard"]
PlaqueKind = Literal["soft", "calcified", "mixed"]


@dataclass(frozen=True)
class ExtraPlaque:
    """A plaque at a chosen place, on one side of the main vessel.

    Attributes
    ----------
    arc_length_mm : float
        Of its middle.
    share : float
        Of the lumen's area there that it takes.
    kind : str
        What it is made of.
    """

    arc_length_mm: float
    share: float
    kind: PlaqueKind


@dataclass(frozen=True, kw_only=True)
class CctaSettings:
    """Ranges from which the facts of an image are drawn. Pairs are lowest and highest value.

    Attributes
    ----------
    contrast_hu : pair
        Of the blood in the aorta and at the ostium.
    contrast_fall : pair
        Part of it that is lost from the ostium to the vessel's end.
    ventricle_contrast, right_contrast_hu : pair
        Blood of the left ventricle relative to the aorta's, and of the right ventricle.
    wall_mm : pair
        Thickness of the healthy wall, at the distal and at the proximal end.
    remodelling : float
        How far the outer wall gives way, relative to the plaque's thickness.
    plaque_odds : triple
        Relative odds of a stenosis to be soft, calcified and mixed.
    calcium_hu : pair
        Of calcified plaque.
    spots : pair
        How many calcifications there are that narrow nothing.
    extra_plaque : ExtraPlaque, optional
        One more at a chosen place.
    vein_odds : float
        That a vein runs beside the artery.
    vein_gap_mm : pair
        Between the artery's outer wall and the vein.
    vein_touch_odds : float
        That the vein touches the artery for some mm.
    vein_contrast : pair
        Share of the artery's contrast over fat in the vein.
    chamber_gap_mm : float
        Tissue that is left between the artery's wall and any contrast-filled cavity.
    auricle_gap_mm : float
        The same for a heart's auricle beside the artery, in one place.
    psf_mm, psf_z_mm : pair
        Standard deviation of the scanner's blur, in the plane and along z.
    noise_hu, noise_factor : pair, float
        Standard deviation of the noise, and a factor on it.
    noise_correlation_mm : pair
        Standard deviation of the kernel that makes the noise grainy.
    stent_odds, stent_length_mm, stent_hu : float, pair, pair
        Odds of a stent, its length, and the HU of struts, which are widened to 0.3 mm.
    bridge_odds : float
        That muscle covers a part of the artery.
    motion_odds, motion_mm : float, pair
        Odds that a part of the artery moved during the scan, and how far it moved.
    slab_odds, slab_step_mm : float, pair
        Odds that the image is put together of slabs along z, and how far the slabs are apart across z.
    """

    contrast_hu: tuple[float, float] = (350.0, 480.0)
    contrast_fall: tuple[float, float] = (0.10, 0.35)
    ventricle_contrast: tuple[float, float] = (0.9, 1.1)
    right_contrast_hu: tuple[float, float] = (150.0, 350.0)
    wall_mm: tuple[float, float] = (0.5, 0.9)
    remodelling: float = 0.15
    plaque_odds: tuple[float, float, float] = (0.4, 0.25, 0.35)
    calcium_hu: tuple[float, float] = (600.0, 1400.0)
    spots: tuple[int, int] = (0, 3)
    extra_plaque: ExtraPlaque | None = None
    vein_odds: float = 1.0
    vein_gap_mm: tuple[float, float] = (0.2, 2.0)
    vein_touch_odds: float = 1.0 / 3.0
    vein_contrast: tuple[float, float] = (0.4, 0.75)
    chamber_gap_mm: float = 2.7
    auricle_gap_mm: float = 1.0
    psf_mm: tuple[float, float] = (0.30, 0.42)
    psf_z_mm: tuple[float, float] = (0.35, 0.50)
    noise_hu: tuple[float, float] = (20.0, 30.0)
    noise_factor: float = 1.0
    noise_correlation_mm: tuple[float, float] = (0.25, 0.40)
    stent_odds: float = 0.125
    stent_length_mm: tuple[float, float] = (10.0, 20.0)
    stent_hu: tuple[float, float] = (2500.0, 4000.0)
    bridge_odds: float = 0.0
    motion_odds: float = 0.0
    motion_mm: tuple[float, float] = (1.0, 2.5)
    slab_odds: float = 0.0
    slab_step_mm: tuple[float, float] = (0.5, 2.0)


def ccta_preset(level: ImageLevel) -> CctaSettings:
    """Return the settings of a level of difficulty.

    Parameters
    ----------
    level : str
        ``easy``: little noise, soft plaque only, nothing bright near the artery. ``typical``: as
        clinical images are. ``hard``: also what spoils some of them.

    Examples
    --------
    >>> ccta_preset("easy").noise_hu
    (12.0, 12.0)
    """
    typical = CctaSettings()
    if level == "typical":
        return typical
    if level == "easy":
        return replace(
            typical,
            contrast_hu=(420.0, 480.0),
            contrast_fall=(0.05, 0.15),
            plaque_odds=(1.0, 0.0, 0.0),
            spots=(0, 0),
            vein_gap_mm=(1.0, 2.0),
            vein_touch_odds=0.0,
            vein_contrast=(0.35, 0.45),
            auricle_gap_mm=2.7,
            noise_hu=(12.0, 12.0),
            stent_odds=0.0,
        )
    if level == "hard":
        return replace(
            typical,
            contrast_hu=(280.0, 380.0),
            contrast_fall=(0.25, 0.45),
            plaque_odds=(0.2, 0.4, 0.4),
            calcium_hu=(800.0, 1800.0),
            spots=(1, 5),
            vein_touch_odds=0.6,
            vein_contrast=(0.5, 0.85),
            noise_hu=(35.0, 45.0),
            stent_odds=0.25,
            bridge_odds=0.3,
            motion_odds=0.6,
            slab_odds=0.5,
        )
    msg = f"level must be easy, typical or hard, got {level!r}"
    raise ValueError(msg)
