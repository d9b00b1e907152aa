"""What the results of a case depend on, as hashes: the content of its inputs, the settings, the version."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coreg.errors import InputError
from coreg.io.case_file import named_paths, read_case_file
from coreg.io.dicom_headers import dicom_files
from coreg.io.dicom_series import series_folder
from coreg.io.files import is_folder, is_there, write_text
from coreg.io.results import sha256_of_files
from coreg.io.review_files import LANDMARKS
from coreg.io.volumes import is_volume_file

SCHEMA_VERSION = 1
UNREADABLE = "cannot be read"
# The coarsest clock of a file system that is still in use (FAT).
SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Fingerprints:
    """Of what each stage of a case depends on: SHA-256, hexadecimal.

    Attributes
    ----------
    segment : str or None
        Of the inputs but for the landmarks, and the version; None where the case outlines both lumens, so
        that there is nothing to segment.
    register : str
        Of the same, the settings and, where they guide, the landmarks.
    validate : str
        Of the same, the landmarks, given and reviewed, and the methods to compare with.
    """

    segment: str | None
    register: str
    validate: str


def fingerprints(
    case_path: Path, settings: Mapping[str, Any], version: str, cache: StatCache, *, result: Path
) -> Fingerprints:
    """Hash all that the results of a case depend on.

    These are what the case.toml says and the content of everything that it names, wherever that lies; of
    folders all files in and below them with their names; of a slice of a CCTA in DICOM all DICOM files
    beside it.

    Parameters
    ----------
    case_path : Path
        The case.toml.
    settings : mapping of str to what JSON knows
        All options; their order does not matter. Landmarks guide where ``use_landmarks`` or
        ``leave_one_out`` is true. What is in ``compare`` only matters to the validation, and ``device`` not
        at all: it changes no more than the last digits.
    version : str
        Of the program.
    cache : StatCache
        Of earlier hashes; the caller saves it.
    result : Path
        The case's result folder: what a reader left of landmarks there counts, nothing else in it does.

    Returns
    -------
    Fingerprints
        An input that is missing or cannot be read counts as such: the run of the case says why, and the
        hash is another one when the input is there.

    Raises
    ------
    InputError
        If the case.toml cannot be used.
    """
    case = read_case_file(case_path)
    image = None if case.ccta.image is None else case.resolved(case.ccta.image)
    own = None if case.landmarks is None else case.resolved(case.landmarks.file)
    inputs = [
        _digest(path, cache, may_be_slice=path == image)
        for path in named_paths(case)
        if path not in {case.path, own}
    ]
    said = case.model_dump(mode="json", exclude={"landmarks"})
    landmarks = [
        None if path is None or not is_there(path) else _digest(path, cache, may_be_slice=False)
        for path in (own, result / LANDMARKS)
    ]
    guided = bool(settings.get("use_landmarks") or settings.get("leave_one_out"))
    own_settings = {name: each for name, each in settings.items() if name not in {"compare", "device"}}
    segment = _hash_of({"case": said, "inputs": inputs, "version": version})
    register = _hash_of([segment, own_settings, landmarks if guided else None])
    validate = _hash_of([register, landmarks, sorted(settings.get("compare", ()))])
    outlined = case.ccta.lumen is not None and case.pullback.lumen is not None
    return Fingerprints(None if outlined else segment, register, validate)


@dataclass(frozen=True)
class SeenFile:
    """A file of an input: its name there, when it was changed, and all that the file system tells of it."""

    path: Path
    name: str
    changed_ns: int
    stamp: str


class StatCache:
    """Remembers the hashes of inputs in a JSON file, so that what has not changed is not read again.

    An input counts as unchanged if its files have the names, sizes, times of change and numbers (inodes)
    that they had when they were read. What had been changed in the last two seconds before that is not
    remembered: another change might not show in its time. A file that is missing or broken is an empty
    memory. No path or name is in it.
    """

    def __init__(self, path: Path, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._clock_ns = clock_ns
        self._known = _remembered(path)
        self._changed = False

    def digest(
        self,
        name: str,
        look: Callable[[], Sequence[SeenFile]],
        read: Callable[[Sequence[SeenFile]], str],
    ) -> str:
        """Return the hash of an input: the one that is remembered, or else a new one.

        Parameters
        ----------
        name : str
            The input's own.
        look : callable
            Lists the input's files.
        read : callable
            Reads them and returns their hash.
        """
        # Paths may tell whose data they are, so the file holds none.
        key = hashlib.sha256(os.fsencode(name)).hexdigest()
        files = look()
        stamp = _stamp(files)
        if key in self._known and self._known[key][0] == stamp:
            return self._known[key][1]
        start_ns = self._clock_ns()
        digest = read(files)
        settled = all(start_ns - each.changed_ns >= SETTLED_NS for each in files)
        if settled and _stamp(look()) == stamp:
            self._known[key] = (stamp, digest)
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what is remembered, whole or not at all; an OSError says why it cannot be written."""
        if not self._changed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._path, json.dumps({"schema_version": SCHEMA_VERSION, "inputs": self._known}))
        self._changed = False


def _remembered(path: Path) -> dict[str, tuple[str, str]]:
    try:
        content = json.loads(path.read_bytes())
        if content["schema_version"] != SCHEMA_VERSION:
            return {}
        return {name: (str(stamp), str(digest)) for name, (stamp, digest) in content["inputs"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _digest(path: Path, cache: StatCache, *, may_be_slice: bool) -> str:
    path = path.absolute()
    try:
        if is_folder(path):
            return cache.digest(f"folder {path}", lambda: _seen_in(path), _content)
        series = series_folder(path) if may_be_slice and not is_volume_file(path) else None
        if series is not None:
            return cache.digest(
                f"series {series}",
                lambda: _seen_in(series, deep=False),
                lambda _: sha256_of_files(dicom_files(series, deep=False)),
            )
        return cache.digest(f"file {path}", lambda: _seen_file(path), _content)
    except (OSError, InputError):
        return UNREADABLE


def _seen_file(path: Path) -> list[SeenFile]:
    # Where a file lies does not matter, nor what it is called: the case.toml says that.
    seen = _seen(path, "")
    if seen is None:
        msg = "neither a file nor a folder"
        raise OSError(msg)
    return [seen]


def _seen_in(folder: Path, *, deep: bool = True) -> list[SeenFile]:
    """List the files in and, if ``deep``, below a folder in the order of their names."""
    found = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        inside = Path(root).relative_to(folder)
        found += [_seen(Path(root, name), (inside / name).as_posix()) for name in names]
        if not deep:
            folders.clear()
    return sorted((each for each in found if each is not None), key=lambda each: each.name)


def _raise(error: OSError) -> None:
    raise error


def _seen(path: Path, name: str) -> SeenFile | None:
    """Look at a file; None for what is none, such as a link that leads nowhere in a folder."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(told.st_mode):
        return None
    # The time of any change goes too: tools that copy set the time of the last writing back.
    changed_ns = max(told.st_mtime_ns, told.st_ctime_ns)
    numbers = (told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)
    return SeenFile(path, name, changed_ns, " ".join(map(str, numbers)))


def _stamp(files: Sequence[SeenFile]) -> str:
    return _hash_of([(each.name, each.stamp) for each in files])


def _content(files: Sequence[SeenFile]) -> str:
    """Hash names and content of files."""
    return _hash_of([(each.name, _sha256(each.path)) for each in files])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(content: Any) -> str:
    # JSON, as names may hold any character.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
