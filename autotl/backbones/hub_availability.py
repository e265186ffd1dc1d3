"""Whether files of a hub repository can be had: cached, downloadable, or why not, in words."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from autotl.backbones.backbone import Availability
from autotl.backbones.hub import cached, endpoint, offline_by_environment, reachable
from autotl.errors import BackboneError
from autotl.versions import install_command


def hub_availability(
    repository: str, files: Sequence[str], revision: str | None, *, offline: bool
) -> Availability:
    """Look into the cache, then at the hub (one probe of 2 s a process)."""
    if find_spec("huggingface_hub") is None:
        return Availability(False, f"needs the training extra: {install_command('train')}")
    try:
        missing = [name for name in files if cached(repository, name, revision) is None]
    except BackboneError as error:
        return Availability(False, str(error))
    if not missing:
        return Availability(True, "cached")
    if offline:
        return Availability(False, "not cached, and this run is offline: run once without --offline")
    if offline_by_environment():
        return Availability(False, "not cached, and HF_HUB_OFFLINE is set: unset it for one run")
    if not reachable():
        return Availability(False, f"not cached, and the hub at {endpoint()} does not answer")
    return Availability(True, f"downloadable from {endpoint()}/{repository}")
