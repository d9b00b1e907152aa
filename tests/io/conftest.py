"""A small straight vessel along +z, 20 mm long, radius 1.5 mm, and a pullback through it."""

import numpy as np
import pytest
import SimpleITK as sitk

CASE = {
    "id": '"P1-LAD"',
    "ccta.lumen": '"lumen.nii.gz"',
    "ccta.centerline": '"line.csv"',
    "pullback.lumen": '"contours.csv"',
    "pullback.frame_spacing_mm": "0.5",
}


def circle(radius_mm, count=24, centre=(0.0, 0.0)):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_mm + np.array(centre)


def write_image(path, values, spacing=(0.5, 0.5, 0.5), origin=(0.0, 0.0, 0.0), direction=None):
    """Write values (slices, rows, columns) as SimpleITK does; spacing by column, row, slice."""
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))


class CaseFolder:
    """Writes a case that loads; `write` takes changed or added keys, None drops one."""

    def __init__(self, path):
        self.path = path
        j, i = np.mgrid[:20, :20]
        disk = ((i - 9.5) ** 2 + (j - 9.5) ** 2 <= 9.0).astype(np.uint8)
        write_image(path / "lumen.nii.gz", np.repeat(disk[None], 41, axis=0), origin=(-4.75, -4.75, 0.0))
        z = np.linspace(0.0, 20.0, 21)
        lines = ["x_mm,y_mm,z_mm,radius_mm", *(f"0,0,{each},1.5" for each in z)]
        self.text("line.csv", "\n".join(lines))
        self.contours({frame: circle(1.5) for frame in range(10)})

    def text(self, name, text):
        (self.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.path / name

    def contours(self, by_frame, name="contours.csv", kind="lumen"):
        rows = [f"{f},{kind},{p},{x},{y}" for f, c in by_frame.items() for p, (x, y) in enumerate(c)]
        return self.text(name, "\n".join(["frame,kind,point,x_mm,y_mm", *rows]))

    def stack(self, name="stack.nii.gz", shape=(6, 80, 90), spacing=(0.05, 0.05, 0.2), radius_px=25.0):
        j, i = np.mgrid[: shape[1], : shape[2]]
        disk = (i - (shape[2] - 1) / 2) ** 2 + (j - (shape[1] - 1) / 2) ** 2 <= radius_px**2
        write_image(
            self.path / name, np.repeat(disk[None].astype(np.uint8), shape[0], axis=0), spacing=spacing
        )

    def write(self, changes=None):
        keys = {**CASE, **(changes or {})}
        tables = {"": [], "ccta": [], "pullback": [], "landmarks": []}
        for key, value in keys.items():
            table, _, name = key.rpartition(".")
            if value is not None:
                tables.setdefault(table, []).append(f"{name} = {value}")
        lines = tables.pop("")
        for name, entries in tables.items():
            lines += [f"[{name}]", *entries] if entries else []
        return self.text("case.toml", "\n".join(lines))


@pytest.fixture
def case_folder(tmp_path):
    return CaseFolder(tmp_path)
