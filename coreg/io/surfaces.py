"""Closed surfaces in STL, VTP and PLY files, in LPS mm.

These formats state no coordinate system. 3D Slicer writes one into the header (``SPACE=LPS`` or
``SPACE=RAS``), which is followed; without one, LPS is taken. STL needs no extra.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.io.files import existing_file, replaced_file, unusable
from coreg.io.vtk_files import read_polydata, stated_space, write_polydata
from coreg.surface import Surface

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ENDINGS = (".stl", ".vtp", ".ply")
_STL_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_FARTHEST_MM = 1e5
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def is_surface_file(path: Path) -> bool:
    """Tell by its name whether a file is a surface of this module."""
    return path.suffix.lower() in ENDINGS


def read_surface(path: Path) -> Surface:
    """Read a triangle mesh.

    Raises
    ------
    InputError
        If the file is missing, of another format, without faces, or has points that are not finite.
    """
    existing_file(path)
    if not is_surface_file(path):
        raise unusable(path, "", found=f"a file ending in {path.suffix!r}", expected=" or ".join(ENDINGS))
    if path.suffix.lower() == ".stl":
        points, faces, space = _read_stl(path)
    else:
        data = read_polydata(path)
        points, faces, space = data.points, data.triangles, data.space
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise unusable(path, f"vertex {bad}", found=points[bad].tolist(), expected="finite coordinates in mm")
    if len(points) and np.abs(points).max() > _FARTHEST_MM:
        bad = int(np.abs(points).max(axis=1).argmax())
        expected = f"mm, within {_FARTHEST_MM:g} mm of the scanner's centre"
        raise unusable(path, f"vertex {bad}", found=points[bad].tolist(), expected=expected)
    if not len(faces):
        raise unusable(path, "faces", found="none", expected="a surface of triangles")
    if space == "RAS":
        points = points * _RAS_TO_LPS
    return _welded(points, faces)


def write_surface(path: Path, surface: Surface) -> None:
    """Write a triangle mesh, whole or not at all; the format goes by the ending.

    Raises
    ------
    InputError
        If the ending is .vtp or .ply and the `mesh` extra is missing.
    ValueError
        If the ending is unknown.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        msg = f"{path.name} must end in {' or '.join(ENDINGS)}"
        raise ValueError(msg)
    with replaced_file(path) as temporary:
        if ending == ".stl":
            temporary.write_bytes(_stl_bytes(surface))
        else:
            write_polydata(temporary, surface.points_mm, surface.faces)


def open_edge_length_mm(surface: Surface) -> float:
    """Total length of edges that only one face (or an odd number of faces) has; 0 where closed."""
    edges = np.sort(surface.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    rim = surface.points_mm[unique[counts % 2 == 1]]
    return float(np.linalg.norm(rim[:, 1] - rim[:, 0], axis=1).sum())


def turned_edge_share(surface: Surface) -> float:
    """Share of edges that faces on both sides run along in one direction; 0 where all face one way."""
    edges = surface.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    _, index, counts = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True)
    balance = np.bincount(index.reshape(-1), weights=np.where(edges[:, 0] < edges[:, 1], 1.0, -1.0))
    return float((np.abs(balance) > 1.0).sum() / len(counts))


def _welded(points: FloatArray, faces: IntArray) -> Surface:
    """Join vertices at one place, as STL repeats them, and drop faces without area."""
    unique, index = np.unique(points, axis=0, return_inverse=True)
    faces = index.reshape(-1)[faces]
    proper = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return Surface(unique, faces[proper] if proper.any() else faces)


def _read_stl(path: Path) -> tuple[FloatArray, IntArray, str | None]:
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little") if len(content) >= 84 else -1
    # Binary files may begin with 'solid' too; only the length tells.
    if len(content) == 84 + 50 * count:
        facets = np.frombuffer(content, dtype=_STL_FACET, offset=84)
        points = facets["corners"].reshape(-1, 3).astype(np.float64)
        header = content[:80]
    elif content.lstrip()[:5].lower() == b"solid" and b"facet" in content:
        points = _ascii_stl_points(path, content)
        header = content[:200]
    else:
        found = f"{len(content)} bytes that are neither text nor {count} binary facets"
        expected = "an STL file; is it cut off?"
        raise unusable(path, "", found=found, expected=expected)
    return points, np.arange(len(points)).reshape(-1, 3), stated_space(header.decode("latin-1"))


def _ascii_stl_points(path: Path, content: bytes) -> FloatArray:
    words = content.split()
    at = np.flatnonzero(np.array(words) == b"vertex")
    try:
        points = np.array([[float(word) for word in words[i + 1 : i + 4]] for i in at]).reshape(-1, 3)
    except ValueError as error:
        raise unusable(path, "vertex", found=str(error), expected="three numbers a vertex") from error
    if len(points) % 3 or not content.rstrip().split(b"\n")[-1].lower().lstrip().startswith(b"endsolid"):
        found = f"{len(points)} vertices and no end"
        raise unusable(path, "", found=found, expected="an ASCII STL file of whole facets; is it cut off?")
    return points


def _stl_bytes(surface: Surface) -> bytes:
    corners = surface.points_mm[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    facets = np.zeros(len(corners), dtype=_STL_FACET)
    facets["normal"] = normals / np.where(lengths > 0.0, lengths, 1.0)
    facets["corners"] = corners
    header = b"coreg, for research use only. SPACE=LPS".ljust(80)
    return header + len(facets).to_bytes(4, "little") + facets.tobytes()
