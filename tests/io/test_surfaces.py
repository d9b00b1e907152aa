import sys

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.surfaces import open_edge_length_mm, read_surface, write_surface
from coreg.surface import Surface


def tetrahedron():
    points = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0.5, 0.25, -3]])
    return Surface(points, np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [0, 2, 3]]))


def corners(surface):
    """Faces as sets of corners, whatever the order of vertices."""
    return sorted(sorted(map(tuple, face)) for face in surface.points_mm[surface.faces].round(5).tolist())


def volume_mm3(surface):
    a, b, c = surface.points_mm[surface.faces].transpose(1, 0, 2)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0


@pytest.mark.parametrize("ending", [".stl", ".vtp", ".ply"])
def test_a_surface_survives_with_its_winding(tmp_path, ending):
    path = tmp_path / f"s{ending}"
    write_surface(path, tetrahedron())
    read = read_surface(path)
    assert len(read.points_mm) == 4
    assert corners(read) == corners(tetrahedron())
    assert volume_mm3(read) == pytest.approx(volume_mm3(tetrahedron()))
    assert open_edge_length_mm(read) == 0.0
    assert b"SPACE" in path.read_bytes()


def test_vtk_reads_what_is_written_as_stl(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    write_surface(tmp_path / "s.stl", tetrahedron())
    mesh = pyvista.read(tmp_path / "s.stl")
    assert mesh.n_cells == 4
    assert mesh.volume == pytest.approx(2.0)


def test_vtk_writes_what_is_read(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    for name, binary in (("a.stl", False), ("b.stl", True), ("c.ply", True), ("d.vtp", True)):
        pyvista.Sphere(radius=3.0).save(tmp_path / name, binary=binary)
        read = read_surface(tmp_path / name)
        assert volume_mm3(read) == pytest.approx(pyvista.Sphere(radius=3.0).volume, rel=1e-4)
        assert open_edge_length_mm(read) == 0.0


def test_slicers_ras_header_is_followed(tmp_path):
    write_surface(tmp_path / "s.stl", tetrahedron())
    content = (tmp_path / "s.stl").read_bytes().replace(b"SPACE=LPS", b"SPACE=RAS")
    (tmp_path / "ras.stl").write_bytes(content)
    turned = Surface(tetrahedron().points_mm * [-1, -1, 1], tetrahedron().faces)
    assert corners(read_surface(tmp_path / "ras.stl")) == corners(turned)


def test_a_missing_face_leaves_its_three_edges_open():
    opened = Surface(tetrahedron().points_mm, tetrahedron().faces[1:])
    assert open_edge_length_mm(opened) == pytest.approx(4.0 + np.sqrt(8.0))


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("s.stl", b"hello", "an STL file; is it cut off"),
        ("s.stl", b"solid a\nfacet\nvertex 1 2\nendsolid", "three numbers a vertex"),
        ("s.stl", b"solid a\nfacet normal 0 0 1\nvertex 1 2 3\n", "is it cut off"),
        ("s.stl", bytes(84), "faces: found none"),
        ("s.vtp", b"<VTKFile", "expected a VTK XML PolyData"),
        ("s.ply", b"hello", "expected a PLY file"),
        ("s.obj", b"hello", "ending in '.obj'"),
    ],
)
def test_a_broken_surface_is_refused_and_nothing_is_printed(tmp_path, capfd, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_surface(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_a_truncated_binary_stl_is_refused(tmp_path):
    write_surface(tmp_path / "s.stl", tetrahedron())
    (tmp_path / "s.stl").write_bytes((tmp_path / "s.stl").read_bytes()[:-30])
    with pytest.raises(InputError, match="is it cut off"):
        read_surface(tmp_path / "s.stl")


def test_nan_in_a_surface_is_named(tmp_path):
    write_surface(tmp_path / "s.stl", tetrahedron())
    content = bytearray((tmp_path / "s.stl").read_bytes())
    content[96:100] = np.float32(np.nan).tobytes()
    (tmp_path / "s.stl").write_bytes(content)
    with pytest.raises(InputError, match=r"vertex 0: found .*nan"):
        read_surface(tmp_path / "s.stl")


def test_without_the_mesh_extra_the_message_says_what_to_install(tmp_path, monkeypatch):
    # None in sys.modules is how Python marks a package that cannot be imported.
    monkeypatch.setitem(sys.modules, "vtkmodules.vtkIOXML", None)
    (tmp_path / "s.vtp").write_text("x")
    with pytest.raises(InputError, match=r'pip install "coreg\[mesh\]"'):
        read_surface(tmp_path / "s.vtp")
    with pytest.raises(InputError, match=r'pip install "coreg\[mesh\]"'):
        write_surface(tmp_path / "t.vtp", tetrahedron())
    write_surface(tmp_path / "s.stl", tetrahedron())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["s.stl", "s.vtp"]
