"""Who the patients of DICOM inputs are: what must never be in a cohort's output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pydicom.datadict
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

import coreg
import coreg_cohort
from coreg.errors import InputError
from coreg.io.case_file import named_paths, read_case_file
from coreg.io.dicom_headers import UNREADABLE, dicom_files, quiet_dicom
from coreg.io.dicom_series import series_folder
from coreg.io.files import is_dicom_file, is_folder

# Not the institution's name: it is that of a place, and tables of a study rightly name sites.
NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "ReferringPhysicianName", "OperatorsName")
NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientTelephoneNumbers")
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
OTHERS = ("PatientBirthDate", "PatientAddress")
FEWEST_CHARACTERS = 4
# Shorter ones are too likely to be a count or a size.
FEWEST_DIGITS = 6
SEPARATORS = ("^", " ", ", ", ",", "_", "-", ".", "")
# What stands for nothing, and the dates that tools put in place of a birth date.
COMMON = frozenset(
    {"anon", "anonym", "anonymous", "anonymized", "anonymised", "deidentified", "unknown", "none", "null"}
    | {"noname", "unnamed", "nobody", "patient", "name", "test", "removed"}
    | {"19000101", "19010101", "19700101", "20000101"}
)
_LAST = Tag("StudyID")
_TAGS: list[BaseTag | int] = [Tag(each) for each in (*NAMES, *NUMBERS, *UIDS, *OTHERS)]
_WORD = re.compile(r"[A-Za-z]{4,}")


@dataclass(frozen=True)
class Identity:
    """What the headers of a case's DICOM inputs say of its patient; never printed.

    Attributes
    ----------
    case_id : str
        The case's.
    values : mapping of str to frozenset of str
        What to look for, by the keyword of the attribute it comes from.
    """

    case_id: str
    values: Mapping[str, frozenset[str]] = field(repr=False)


def identity_of(case_path: Path, case_id: str, *, known_as: Iterable[str] = ()) -> Identity:
    """Read who the patient of a case is from the headers of all its DICOM inputs.

    Left out is what cannot be told apart from other content: fewer than 4 characters, fewer than 6 digits,
    words such as ``ANONYMOUS``, words of the program itself (a patient called Black is looked for with the
    given name only), and what the case's own ids say openly. Images that cannot be read say nothing.

    Parameters
    ----------
    case_path : Path
        The case.toml.
    case_id : str
        Its id in the cohort.
    known_as : iterable of str
        What else the study calls it: patient, vessel.

    Raises
    ------
    InputError
        If the case.toml cannot be read.
    """
    case = read_case_file(case_path)
    open_names = {
        each.casefold() for each in (case_id, case.id, case.patient, case.vessel, *known_as) if each
    }
    found: dict[str, set[str]] = {}
    with quiet_dicom():
        for file in _dicom_of(named_paths(case)):
            for keyword, value in _told_by(file):
                found.setdefault(keyword, set()).add(value)
    kept = {
        keyword: frozenset(value for value in values if _telling(value, open_names))
        for keyword, values in found.items()
    }
    return Identity(case_id, {keyword: values for keyword, values in sorted(kept.items()) if values})


def _dicom_of(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        # The run of the case says why it cannot be read; then nothing of it is in the output.
        with suppress(InputError, OSError):
            found |= dict.fromkeys(_dicom_at(path))
    return list(found)


def _dicom_at(path: Path) -> list[Path]:
    if is_folder(path):
        return dicom_files(path)
    if not path.exists() or not is_dicom_file(path):
        return []
    series = series_folder(path)
    return [path] if series is None else dicom_files(series, deep=False)


def _told_by(file: Path) -> Iterator[tuple[str, str]]:
    try:
        with file.open("rb") as content:
            # All that is wanted comes early; sequences and pixels after it need not be read.
            dataset = read_partial(
                content, stop_when=lambda tag, _vr, _length: tag > _LAST, specific_tags=_TAGS
            )
            return iter([(each, value) for each in dataset.dir() for value in _values(dataset, each)])
    except UNREADABLE:
        return iter(())


def _values(dataset: Dataset, keyword: str) -> Iterator[str]:
    value = dataset.get(keyword)
    if value is None:
        return
    several = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    if pydicom.datadict.dictionary_VR(keyword) == "PN":
        several = [value] if hasattr(value, "components") else list(value)
    for text in (str(each).strip() for each in several):
        if keyword in NAMES:
            yield from name_forms(text)
        elif keyword == "PatientBirthDate":
            yield from date_forms(text)
        else:
            yield text


def name_forms(name: str) -> Iterator[str]:
    """List the ways in which a DICOM name may be written: each of its words, and all in both orders.

    >>> "Oona, Li" in name_forms("Li^Oona")
    True
    """
    for spelled in name.split("="):
        # After family, given and middle name come titles.
        parts = [each.strip() for each in spelled.split("^")[:3] if each.strip()]
        yield from parts
        yield from (word for part in parts for word in re.split(r"[\s\-.,]+", part))
        for order in (parts, parts[::-1], parts[:2], parts[1::-1]):
            if len(order) > 1:
                yield from (between.join(order) for between in SEPARATORS)


def date_forms(date: str) -> tuple[str, ...]:
    """List the ways in which a DICOM date is usually written.

    >>> date_forms("19470312")
    ('19470312', '1947-03-12', '12.03.1947', '12/03/1947', '03/12/1947')
    """
    if not re.fullmatch(r"\d{8}", date) or date in COMMON:
        return ()
    year, month, day = date[:4], date[4:6], date[6:]
    return (
        date,
        f"{year}-{month}-{day}",
        f"{day}.{month}.{year}",
        f"{day}/{month}/{year}",
        f"{month}/{day}/{year}",
    )


def _telling(value: str, open_names: Iterable[str]) -> bool:
    """Tell whether a value would be recognised as somebody's, and is not said openly by the study."""
    text = value.casefold()
    if len(text.encode()) < FEWEST_CHARACTERS or text in COMMON or text in program_words():
        return False
    if text.isdigit() and len(text) < FEWEST_DIGITS:
        return False
    return not any(text in name for name in open_names)


@cache
def program_words() -> frozenset[str]:
    """List all words of the program's own source, which its output may hold for any patient."""
    import matplotlib.backends

    roots = [*coreg.__path__, *coreg_cohort.__path__]
    files = [
        each
        for root in roots
        for kind in ("*.py", "*.j2", "*.html", "*.css")
        for each in Path(root).rglob(kind)
    ]
    files += [Path(folder) / "backend_svg.py" for folder in matplotlib.backends.__path__]
    texts = (each.read_text(encoding="utf-8") for each in files)
    return frozenset(word.casefold() for text in texts for word in _WORD.findall(text))
