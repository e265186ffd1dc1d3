"""Rows of the data as pages show them: short pieces of safe HTML, by the names of the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from autotl.data.dataset import Dataset
from autotl.modalities.modality import SupportsPreview
from autotl.modalities.registry import modality
from autotl.report.recorded import plain
from autotl.search.local import describe_error

logger = logging.getLogger(__name__)

#: Safe HTML that shows a row, by its name.
Preview = Callable[[str], str]


def preview_of(dataset: Dataset) -> Preview | None:
    """Shows the rows of a data set, and those that its audit left out; None without previews of its kind."""
    shows = modality(dataset.modality)
    if not isinstance(shows, SupportsPreview):
        return None
    items = {plain(name): item for name, item in dataset.left_out}
    items |= {plain(name): item for name, item in zip(dataset.names, dataset.items, strict=True)}
    return lambda name: shows.preview(items[name])


def previews(preview: Preview | None, names: Iterable[str]) -> dict[str, str]:
    """What can be shown of rows, each once; rows that are not known, or cannot be shown, are left out."""
    found: dict[str, str] = {}
    failed: list[str] = []
    if preview is None:
        return found
    for name in dict.fromkeys(names):
        try:
            found[name] = preview(name)
        except KeyError:
            logger.debug("%s is no row that can be shown", name)
        except Exception as error:  # whatever a modality raises costs that picture only
            failed.append(f"{name} ({describe_error(error)})")
    if failed:
        logger.warning("%d rows could not be shown, the first of them %s", len(failed), failed[0])
    return found
