"""Rows of the data as pages show them: short pieces of safe HTML, by the names of the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from autotl.data.dataset import Dataset
from autotl.errors import AutotlError
from autotl.modalities.modality import SupportsPreview
from autotl.modalities.registry import modality
from autotl.report.recorded import plain

logger = logging.getLogger(__name__)

#: Safe HTML that shows a row, by its name.
Preview = Callable[[str], str]


def preview_of(dataset: Dataset) -> Preview | None:
    """Shows the rows of a data set; None where its modality has no previews."""
    shows = modality(dataset.modality)
    if not isinstance(shows, SupportsPreview):
        return None
    items = {plain(name): item for name, item in zip(dataset.names, dataset.items, strict=True)}
    return lambda name: shows.preview(items[name])


def previews(preview: Preview | None, names: Iterable[str]) -> dict[str, str]:
    """What can be shown of rows, each once; those that were left out of the data cannot."""
    found: dict[str, str] = {}
    if preview is None:
        return found
    for name in dict.fromkeys(names):
        try:
            found[name] = preview(name)
        except (KeyError, AutotlError) as error:
            logger.debug("no preview of %s: %s", name, error)
    return found
