"""One set of colours for all views, on dark, told apart with every kind of colour vision (Okabe, Ito)."""

from __future__ import annotations

from coreg.review import State

CCTA_LUMEN, PULLBACK_LUMEN, DOUBTFUL = "#D55E00", "#56B4E9", "#E69F00"
STATE_COLOURS: dict[State, str] = {
    "proposed": "#F0E442",
    "accepted": "#00C08A",
    "corrected": "#E58BC0",
    "rejected": "#8A8A8A",
}
BRANCH, CUT, FAINT = "#CC79A7", "#F0E442", "#c8c8c8"
