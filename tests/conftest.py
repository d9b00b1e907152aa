import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """Folder of the public research data, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "real"
    folder = Path(os.environ.get("COREG_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(
            f"no real data: set COREG_REAL_DATA, or put them at ../shared/real ({folder} is no folder)"
        )
    return folder
