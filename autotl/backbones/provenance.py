"""What identifies the weights of a backbone, so that a run can be repeated with the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autotl.backbones.backbone import BackboneInfo, SupportsFiles
from autotl.backbones.checksum import sha256
from autotl.backbones.load import sources
from autotl.backbones.lock import read_lock


def provenance(info: BackboneInfo) -> dict[str, Any]:
    """Where weights came from, at which revision, and the sha256 of their files, JSON-ready.

    Args:
        info: Of a backbone that was loaded, so that its files are here.

    Returns:
        Name, source, reference and licence as the catalogue has them; "revision", the commit of a hub
        repository, None elsewhere; "sha256" by name of the file, as it was checked when it was loaded.

    Raises:
        BackboneError: The lock file of downloads is malformed.
    """
    own = f"{info.reference}/"
    downloads = {key.removeprefix(own): e for key, e in read_lock().items() if key.startswith(own)}
    source = sources().get(info.source)
    files: list[Path] = source.files(info) if isinstance(source, SupportsFiles) else []
    return {
        "name": info.name,
        "source": info.source,
        "reference": info.reference,
        "licence": info.licence,
        "revision": next((entry.revision for entry in downloads.values()), None),
        "sha256": {
            **{path.name: sha256(path) for path in files},
            **{name: entry.sha256 for name, entry in downloads.items()},
            **info.sha256,
        },
    }
