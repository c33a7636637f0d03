"""JupyterLab's way to files, in which the stored notebooks can be read and run, and not saved.

JupyterLab writes a notebook by itself soon after it was opened, because the kernel has told its
version: whoever only looks up what should come out would have changed a file that git tracks, and
git would refuse the next version of the course. Source: jupyter_server, "Contents API": `writable`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from helpers import copies


class ReadingRoom(AsyncLargeFileManager):
    """Files as everywhere, but for those in `notebooks/`, which JupyterLab shows as read-only."""

    async def get(self, path: str, *arguments: Any, **named: Any) -> Any:
        model = await super().get(path, *arguments, **named)
        if self.is_stored(path):
            model["writable"] = False
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        """Raises HTTPError 403 for a stored notebook, whoever asks."""
        if self.is_stored(path):
            raise HTTPError(403, f"{path} is the stored notebook: save it under another name.")
        return await super().save(model, path)

    def is_stored(self, path: str) -> bool:
        """Whether a path, from the server's folder, is in `notebooks/` of this checkout."""
        file = Path(self._get_os_path(path)).resolve()
        return file.is_relative_to(copies.NOTEBOOKS.resolve())
