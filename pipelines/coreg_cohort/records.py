"""What is known of each case on disk, and the table of all of them.

A record is one small JSON file, written whole or not at all once the case's results are in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from coreg.errors import InputError
from coreg.io.files import unusable
from coreg.io.json_fields import Fields, parsed_json, write_json
from coreg.io.tables import Cell, write_table

Stage = Literal["segment", "register", "validate"]
# In the order in which they run.
STAGES: tuple[Stage, ...] = ("segment", "register", "validate")
SCHEMA_VERSION = 1
STATE = ".coreg-cohort"
COLUMNS = (
    "case_id", "patient", "vessel", "status", "verdict", "reason",
    "landmarks", "error_frames", "error_mm", "error_deg", "seconds", "stage", "landmarks_of",
)  # fmt: skip
_MEASURED = ("landmarks", "error_frames", "error_mm", "error_deg")


@dataclass(frozen=True)
class Record:
    """What became of a case.

    Attributes
    ----------
    case_id : str
        Its id.
    fingerprints : mapping of str to str
        Of what each stage that ended well depended on, by stage.
    status : str
        "done" or "failed".
    reason : str
        Why it failed; empty when done.
    facts : mapping
        What the function that ran it returned, as JSON holds it; empty when it failed.
    seconds : float
        How long its last run took; one that measured only does not count.
    peak_memory_gb : float
        Most resident memory that was seen in it, in 1e9 bytes.
    version : str
        Of the program.
    settings : mapping
        With which it ran, as JSON holds them.
    """

    case_id: str
    fingerprints: Mapping[str, str]
    status: Literal["done", "failed"]
    reason: str
    facts: Mapping[str, Any]
    seconds: float
    peak_memory_gb: float
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The last stage that ended well; empty where none has."""
        return next((each for each in reversed(STAGES) if each in self.fingerprints), "")


class Row(Protocol):
    """What the table tells of a case of the manifest."""

    @property
    def case_id(self) -> str:
        """Its id."""

    @property
    def patient(self) -> str:
        """Whose it is."""

    @property
    def vessel(self) -> str:
        """Which vessel it is of."""


def record_path(out: Path, case_id: str) -> Path:
    """Name the file that holds a case's record."""
    return out / STATE / "records" / f"{case_id}.json"


def write_record(out: Path, record: Record) -> None:
    """Write a record in place of the case's last one.

    Raises
    ------
    InputError
        If it cannot be written, as on a full disk; the last one is as it was.
    """
    path = record_path(out, record.case_id)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"schema_version": SCHEMA_VERSION, **asdict(record)})


def read_records(out: Path) -> dict[str, Record]:
    """Read all records by case id; one that is broken or of another schema counts as none."""
    folder = record_path(out, "").parent
    # Names that begin with a point are files that a killed run was still writing.
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    found = {path.stem: read_record(path) for path in paths}
    return {case_id: record for case_id, record in found.items() if record and record.case_id == case_id}


def read_record(path: Path) -> Record | None:
    """Read a record; None where it is missing, broken or of another schema."""
    try:
        fields = Fields(path, "", parsed_json(path))
        fields.check_schema(SCHEMA_VERSION)
        return Record(
            case_id=fields.text("case_id"),
            fingerprints={name: str(each) for name, each in fields.mapping("fingerprints").items()},
            status=fields.one_of("status", ("done", "failed")),
            reason=fields.text("reason"),
            facts=_facts(fields),
            seconds=fields.number("seconds"),
            peak_memory_gb=fields.number("peak_memory_gb"),
            version=fields.text("version"),
            settings=fields.mapping("settings"),
        )
    except InputError:
        return None


def _facts(fields: Fields) -> Mapping[str, Any]:
    """Read the facts of a case; what tables say of its verdict must be text."""
    facts = fields.mapping("facts")
    inside = fields.inner("facts")
    if facts.get("verdict") is not None:
        inside.text("verdict")
    if "reasons" in facts:
        inside.texts("reasons")
    return facts


def write_cohort_csv(path: Path, cases: Iterable[Row], records: Mapping[str, Record]) -> None:
    """Write the table of a cohort, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    cases : iterable
        The manifest's, in its order; each becomes a row. Their covariates, which may tell who somebody is,
        are left out.
    records : mapping
        By case id. A case without one has not ended yet, and its status stays empty.

    Raises
    ------
    InputError
        If it cannot be written, as on a full disk; the last table is as it was.
    """
    with _writing(path):
        write_table(path, COLUMNS, (_cells(case, records.get(case.case_id)) for case in cases))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        expected = "a folder with room that can be written; the next run goes on from here"
        raise unusable(path, "", found=error.strerror or error, expected=expected) from error


def _cells(case: Row, record: Record | None) -> list[Cell]:
    named = [case.case_id, case.patient, case.vessel]
    if record is None:
        return [*named, *[None] * (len(COLUMNS) - len(named))]
    return [
        *named,
        record.status,
        _cell(record.facts.get("verdict")),
        record.reason or "; ".join(str(each).rstrip(".") for each in record.facts.get("reasons", ())),
        *(_cell(record.facts.get(name)) for name in _MEASURED),
        round(record.seconds, 1),
        record.stage,
        _cell(record.facts.get("landmarks_of")),
    ]


def _cell(fact: Any) -> Cell:
    return fact if fact is None or isinstance(fact, (str, int, float)) else str(fact)
