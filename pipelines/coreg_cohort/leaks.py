"""Search a cohort's output for the identity of its patients.

A value counts where it stands as a word of its own, in any case of letters, as UTF-8, Latin-1 or UTF-16,
escaped for JSON, HTML or a URL, in names of files, and in what gzip packs. Not searched are images packed
as base64, the voxels of NIfTI (HU from 65 to 122 read as letters) and compressed streams of PDF and PNG.

The chance of a false alarm: four letters stand by chance as a word between 16 characters of text in
binary content once in some 10^16 bytes (2/256 per letter, 97/256 per neighbour), fewer with each letter more.
"""

from __future__ import annotations

import gzip
import html
import json
import os
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html.entities import codepoint2name
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from coreg.io.files import unusable
from coreg_cohort.identity import Identity

BLOCK_BYTES = 1 << 24
# More than any value with what stands around it.
OVERLAP_BYTES = 4096
# A match this short is believed among text only: in binary content it may come by chance.
SHORT_BYTES = 8
_TEXT = bytes([0, 9, 10, 13, *range(32, 127)])
_TOKEN = re.compile(rb"[0-9a-z]+")
_UTF16 = re.compile(rb"(?:[\x20-\xff]\0){4,}[\x20-\xff]?")
# No path is a thousand characters without a dot, a dash or an underscore; packed images are.
_PACKED = re.compile(
    rb"data:[\w/+.;=-]{0,80};base64,[\sA-Za-z0-9+/=]*|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{1000,}={0,2}"
)


@dataclass(frozen=True)
class Leak:
    """A file that holds part of a patient's identity; what it holds is not told.

    Attributes
    ----------
    file : str
        Relative to the folder that was searched; what its name tells of the patient is replaced by ``***``.
    attribute : str
        DICOM's keyword.
    case_id : str
        Of the case whose input has it.
    """

    file: str
    attribute: str
    case_id: str


@dataclass(frozen=True)
class _Needle:
    attribute: str
    case_id: str
    form: bytes
    tokens: frozenset[bytes]

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """Made when it is needed: few are ever searched for beyond their words."""
        return _whole_word(self.form)


def leaks(root: Path, places: Iterable[Path], identities: Sequence[Identity]) -> tuple[Leak, ...]:
    """Search files, and all files in and below folders, for what tells who somebody is.

    Parameters
    ----------
    root : Path
        Files are named relative to it; its own name is not searched.
    places : iterable of Path
        Files and folders below it; what is not there holds nothing.
    identities : sequence of Identity
        What to look for.

    Returns
    -------
    tuple of Leak
        In order of files, one for each attribute.

    Raises
    ------
    InputError
        If a file cannot be read: nobody can say then what it holds.
    """
    needles = [each for identity in identities for each in _needles(identity)]
    if not needles:
        return ()
    found: set[Leak] = set()
    for path in _paths_below(places):
        name = path.relative_to(root).as_posix()
        hits = set(_hits(os.fsencode(name).lower(), needles))
        shown = _masked(name, hits)
        if path.is_file():
            hits |= _hits_in_file(path, shown, needles)
        found |= {Leak(shown, each.attribute, each.case_id) for each in hits}
    return tuple(sorted(found, key=lambda each: (each.file, each.case_id, each.attribute)))


def _paths_below(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.exists():
            yield place
        if place.is_dir():
            yield from sorted(place.rglob("*"))


def _masked(name: str, hits: Iterable[_Needle]) -> str:
    raw = os.fsencode(name)
    for each in hits:
        # Lower case keeps the length of bytes.
        for match in reversed(list(each.pattern.finditer(raw.lower()))):
            raw = raw[: match.start()] + b"***" + raw[match.end() :]
    return raw.decode(errors="replace")


def _hits_in_file(path: Path, shown: str, needles: Sequence[_Needle]) -> set[_Needle]:
    try:
        return {each for block in _blocks(path) for each in _hits(block, needles)}
    except OSError as error:
        found = error.strerror or "content that cannot be read"
        expected = "a file that can be searched for identities"
        raise unusable(Path(shown), "", found=found, expected=expected) from None


def _hits(block: bytes, needles: Sequence[_Needle]) -> Iterator[_Needle]:
    """Find what a lower-case block holds; its words come first, as they are fast to compare."""
    words = set(_TOKEN.findall(block))
    for each in needles:
        there = each.tokens <= words and each.form in block
        if there and any(_believed(block, match) for match in each.pattern.finditer(block)):
            yield each


def _believed(block: bytes, match: re.Match[bytes]) -> bool:
    start, end = match.span()
    if end - start >= SHORT_BYTES:
        return True
    around = block[max(0, start - 8) : start] + block[end : end + 8]
    return not around.translate(None, _TEXT) or _is_utf8(block)


def _is_utf8(block: bytes) -> bool:
    # Ends may cut a character.
    return b"\0" not in block and len(block) - len(block.decode(errors="ignore").encode()) <= 6


def _blocks(path: Path) -> Iterator[bytes]:
    """Read what is to be searched, in lower case, in blocks that overlap."""
    with path.open("rb") as file:
        head = file.read(512)
        packed = head.startswith(b"\x1f\x8b")
        if packed and head[3] & 8:
            yield head[10:].split(b"\0")[0].lower()
        try:
            # _views closes it.
            yield from _views(cast(BinaryIO, gzip.open(path)) if packed else path.open("rb"))  # noqa: SIM115
        except (gzip.BadGzipFile, EOFError, zlib.error):
            # What follows is no gzip; it is searched as it is.
            yield from _views(path.open("rb"))


def _views(file: BinaryIO) -> Iterator[bytes]:
    carried = b""
    with file:
        first = True
        while block := file.read(BLOCK_BYTES):
            end = _voxels_from(block) if first else None
            first = False
            data = carried + block[:end]
            plain, packed_to_end = _unpacked(data)
            yield plain.lower()
            if b"\0" in data:
                yield _from_utf16(data)
            if end is not None:
                return
            carried = b"data:;base64," if packed_to_end else data[-OVERLAP_BYTES:]


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    """Take out base64, and tell whether it goes on after the end."""
    last = 0
    for match in _PACKED.finditer(data):
        last = match.end()
    return _PACKED.sub(b" ", data), last == len(data) > 0


def _from_utf16(data: bytes) -> bytes:
    runs = (match.group().replace(b"\0", b"") for match in _UTF16.finditer(data))
    return b"\n".join(runs).lower()


def _voxels_from(block: bytes) -> int | None:
    """Where the voxels of a NIfTI-1 file begin; None for any other file."""
    if len(block) < 352 or block[344:347] not in {b"n+1", b"ni1"}:
        return None
    order = "<" if struct.unpack("<i", block[:4])[0] == 348 else ">"
    with suppress(ValueError, OverflowError):
        return max(352, int(struct.unpack(f"{order}f", block[108:112])[0]))
    return None


def _needles(identity: Identity) -> Iterator[_Needle]:
    for attribute, values in identity.values.items():
        spelled = {form for value in values for form in _spellings(value)}
        for form in sorted(spelled):
            yield _Needle(attribute, identity.case_id, form, frozenset(_TOKEN.findall(form)))


def _whole_word(form: bytes) -> re.Pattern[bytes]:
    # A number is not one that a decimal point goes on with.
    number = form.isdigit()
    before = (rb"(?<![0-9a-z])" if form[:1].isalnum() else b"") + (rb"(?<![0-9]\.)" if number else b"")
    after = (rb"(?![0-9a-z])" if form[-1:].isalnum() else b"") + (rb"(?!\.[0-9])" if number else b"")
    return re.compile(before + re.escape(form) + after)


def _spellings(value: str) -> set[bytes]:
    """Write a value in all ways in which a file may hold it; lower case as far as ASCII goes."""
    texts = {value} if value.isascii() else {value, value.lower(), value.upper(), value.title()}
    texts |= {unicodedata.normalize(form, each) for each in texts for form in ("NFC", "NFD")}
    found = set()
    for text in texts:
        named = "".join(
            f"&{codepoint2name[ord(each)]};" if ord(each) in codepoint2name else each for each in text
        )
        hexadecimal = "".join(each if each.isascii() else f"&#x{ord(each):x};" for each in text)
        escaped = {text, json.dumps(text)[1:-1], html.escape(text), named, hexadecimal, quote(text)}
        found |= {each.encode() for each in escaped} | {
            html.escape(text).encode("ascii", "xmlcharrefreplace")
        }
        with suppress(UnicodeEncodeError):
            found.add(text.encode("latin-1"))
        if not text.isascii():
            found |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
    return {each.lower() for each in found}
