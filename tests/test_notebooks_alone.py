"""Each notebook runs alone on an empty local AWS."""

from __future__ import annotations

import pytest
from nbval.plugin import IPyNbFile, NbCellError

from helpers.localaws import lifecycle
from tests.notebook_files import FOLDER, NAMES, code_cells, read


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_alone_on_an_empty_local_aws(name: str, tmp_path, monkeypatch, request) -> None:
    """The cells are run and compared by nbval, as those of the notebooks in order are."""
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    notebook = IPyNbFile.from_parent(request.session, path=FOLDER / f"{name}.ipynb")
    request.config.hook.pytest_collectstart(collector=notebook)
    cells = list(notebook.collect())
    assert len(cells) == len(code_cells(read(name)))
    notebook.setup()
    try:
        for cell in cells:
            cell.runtest()
    except NbCellError as error:
        pytest.fail(f"Cell {error.cell_num}: {error}\n{error.source}\n{error.inner_traceback}")
    finally:
        notebook.teardown()
        lifecycle.stop()
