"""Transfer syntaxes of DICOM: what they are called, and whether they can be decoded here."""

from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID


def is_decodable(syntax: UID) -> bool:
    """Tell whether there is a decoder for the pixels of a transfer syntax."""
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        # pydicom's answer to a transfer syntax that it does not know: there is no decoder.
        return False


def syntax_name(syntax: UID) -> str:
    """Name a transfer syntax of the standard; any other UID is not repeated."""
    return "an unknown transfer syntax" if syntax.name == str(syntax) else syntax.name
