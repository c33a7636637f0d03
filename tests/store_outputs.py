"""`make notebooks`: run all notebooks in order on a fresh local AWS and store their outputs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers.localaws import lifecycle

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
KEPT_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def store(path: Path) -> None:
    """Run one notebook and write it back with its outputs and nothing that changes by itself."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    notebook.metadata = nbformat.from_dict(KEPT_METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    nbformat.write(notebook, path)


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="course-notebooks-") as folder:
        os.environ["LOCALAWS_FOLDER"] = folder
        os.environ["SQS_COURSE_LIVE"] = "off"  # what moves is not stored
        os.environ["SQS_COURSE_RECORD"] = "off"  # and who stores is no learner
        try:
            for path in sorted(NOTEBOOKS.glob("*.ipynb")):
                if not names or path.stem in names:
                    print(path.name, flush=True)
                    store(path)
        finally:
            lifecycle.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
