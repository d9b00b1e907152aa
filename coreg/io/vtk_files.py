"""PolyData from VTK's own readers, without their chatter. Needs the `mesh` extra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.io.files import existing_file, unusable

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PolyData:
    """What is read of a VTK polygonal data set.

    Attributes
    ----------
    points : (V, 3) array
        In the file's own coordinates.
    lines : list of int arrays
        Point indices of each polyline.
    triangles : (F, 3) int array
        Point indices; larger polygons are cut into triangles.
    point_data : dict of str to array
        Arrays of one value per point.
    space : str or None
        ``LPS`` or ``RAS`` where the file says so, as 3D Slicer's do.
    """

    points: FloatArray
    lines: list[IntArray]
    triangles: IntArray
    point_data: dict[str, FloatArray]
    space: str | None


def read_polydata(path: Path) -> PolyData:
    """Read a .vtp or .ply file.

    Raises
    ------
    InputError
        If the `mesh` extra is missing or the file cannot be read.
    """
    existing_file(path)
    try:
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkFiltersCore import vtkTriangleFilter
        from vtkmodules.vtkIOPLY import vtkPLYReader
        from vtkmodules.vtkIOXML import vtkXMLPolyDataReader
    except ImportError as error:
        raise mesh_extra_missing(path) from error

    ply = path.suffix.lower() == ".ply"
    reader = vtkPLYReader() if ply else vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    with _captured() as complaints:
        reader.Update()
        data = reader.GetOutput()
        cutter = vtkTriangleFilter()
        cutter.SetInputData(data)
        cutter.PassLinesOff()
        cutter.PassVertsOff()
        cutter.Update()
    if complaints.GetOutput() or not data.GetNumberOfPoints():
        kind = "PLY" if ply else "VTK XML PolyData (.vtp)"
        raise unusable(path, "", found=_reason(complaints.GetOutput()), expected=f"a {kind} file with points")
    arrays = data.GetPointData()
    point_data = {}
    for i in range(arrays.GetNumberOfArrays()):
        array = arrays.GetArray(i)
        if array is not None and array.GetNumberOfComponents() == 1:
            point_data[str(array.GetName())] = vtk_to_numpy(array).astype(np.float64)
    triangles = cutter.GetOutput().GetPolys()
    return PolyData(
        vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64),
        _cells(data.GetLines(), vtk_to_numpy),
        np.array(_cells(triangles, vtk_to_numpy), dtype=np.int64).reshape(-1, 3),
        point_data,
        _space(data, reader if ply else None),
    )


def write_polydata(path: Path, points: FloatArray, triangles: IntArray) -> None:
    """Write triangles in LPS mm as .vtp or .ply, saying so in the file.

    Raises
    ------
    InputError
        If the `mesh` extra is missing.
    OSError
        If the file cannot be written.
    """
    _write(path, points, np.asarray(triangles).ravel(), np.full(len(triangles), 3), "polygons", {})


def write_polylines(path: Path, lines: Sequence[FloatArray], point_data: Mapping[str, FloatArray]) -> None:
    """Write lines of points (N, 3) in LPS mm as .vtp, with values per point of all lines one after another.

    Raises
    ------
    InputError
        If the `mesh` extra is missing.
    OSError
        If the file cannot be written.
    """
    points = np.concatenate(lines)
    _write(path, points, np.arange(len(points)), np.array([len(line) for line in lines]), "lines", point_data)


def vtk_is_there() -> bool:
    """Tell whether the `mesh` extra is installed."""
    return find_spec("vtkmodules") is not None


def _write(
    path: Path,
    points: FloatArray,
    corners: IntArray,
    counts: IntArray,
    kind: Literal["polygons", "lines"],
    point_data: Mapping[str, FloatArray],
) -> None:
    """Write cells: ``counts`` tells how many of ``corners``, one after the other, each has."""
    try:
        from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
        from vtkmodules.vtkCommonCore import vtkPoints, vtkStringArray
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
        from vtkmodules.vtkIOPLY import vtkPLYWriter
        from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter
    except ImportError as error:
        raise mesh_extra_missing(path) from error

    data, nodes, cell_array = vtkPolyData(), vtkPoints(), vtkCellArray()
    nodes.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    corner_ids = np.ascontiguousarray(corners, dtype=np.int64)
    cell_array.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(corner_ids, deep=True)
    )
    data.SetPoints(nodes)
    (data.SetPolys if kind == "polygons" else data.SetLines)(cell_array)
    for name, values in point_data.items():
        array = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True)
        array.SetName(name)
        data.GetPointData().AddArray(array)
    writer: Any
    if path.suffix.lower() == ".ply":
        writer = vtkPLYWriter()
        writer.AddComment("SPACE=LPS")
    else:
        writer = vtkXMLPolyDataWriter()
        space = vtkStringArray()
        space.SetName("SPACE")
        space.InsertNextValue("LPS")
        data.GetFieldData().AddArray(space)
    writer.SetInputData(data)
    writer.SetFileName(str(path))
    with _captured() as complaints:
        written = writer.Write()
    if not written or complaints.GetOutput():
        msg = f"{path}: {_reason(complaints.GetOutput())}"
        raise OSError(msg)


def mesh_extra_missing(path: Path) -> InputError:
    """Make the error that says what to install for meshes."""
    msg = f'{path}: {path.suffix} files need the mesh extra; install it with: pip install "coreg[mesh]"'
    return InputError(msg)


def _cells(cells: Any, vtk_to_numpy: Any) -> list[IntArray]:
    if not cells.GetNumberOfCells():
        return []
    offsets = vtk_to_numpy(cells.GetOffsetsArray()).astype(np.int64)
    corners = vtk_to_numpy(cells.GetConnectivityArray()).astype(np.int64)
    return np.split(corners, offsets[1:-1])


def _space(data: Any, ply: Any) -> str | None:
    texts = []
    array = data.GetFieldData().GetAbstractArray("SPACE")
    if array is not None and array.IsA("vtkStringArray"):
        texts = [f"SPACE={array.GetValue(i)}" for i in range(array.GetNumberOfValues())]
    if ply is not None and ply.GetComments() is not None:
        comments = ply.GetComments()
        texts = [comments.GetValue(i) for i in range(comments.GetNumberOfValues())]
    return stated_space(" ".join(texts))


def stated_space(text: str) -> str | None:
    """Find 3D Slicer's ``SPACE=LPS`` or ``SPACE=RAS`` in a header or comment."""
    for space in ("LPS", "RAS"):
        if f"SPACE={space}" in text.upper():
            return space
    return None


def _reason(complaints: str) -> str:
    lines = [line.strip() for line in complaints.splitlines() if line.startswith("vtk")]
    if not lines:
        return "no points"
    return lines[0].partition("): ")[2][:150] or lines[0][:150]


@contextmanager
def _captured() -> Iterator[Any]:
    """Keep what VTK would print, which has no other way of telling that a file is broken."""
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    before, level = vtkOutputWindow.GetInstance(), vtkLogger.GetCurrentVerbosityCutoff()
    window = vtkStringOutputWindow()
    vtkOutputWindow.SetInstance(window)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield window
    finally:
        vtkLogger.SetStderrVerbosity(level)
        vtkOutputWindow.SetInstance(before)
