"""What is installed has its looks: templates, styles and the script are in the wheel."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "webhooks" / "dashboard"


def test_every_template_and_static_file_is_in_the_wheel(tmp_path: Path):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    packed = set(zipfile.ZipFile(built).namelist())
    needed = {
        str(path.relative_to(ROOT)) for path in PAGES.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")
    }
    assert len(needed) > 15
    assert needed <= packed
