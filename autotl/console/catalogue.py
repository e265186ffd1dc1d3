"""The backbones of the catalogue and whether each can be used here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autotl.backbones.backbone import Availability, BackboneInfo


def rows(modality: str | None, *, offline: bool) -> list[tuple[BackboneInfo, Availability]]:
    """Every backbone with its availability, available ones first.

    Args:
        modality: Of this modality only; None for all.
        offline: Count the network as unreachable.

    Raises:
        DataError: There is no such modality.
    """
    from autotl.backbones.catalogue import catalogue
    from autotl.backbones.load import availability
    from autotl.modalities.registry import modalities
    from autotl.modalities.registry import modality as look_up

    names = list(modalities()) if modality is None else [look_up(modality).name]
    infos = [info for name in names for info in catalogue(name).values()]
    found = [(info, availability(info, offline=offline)) for info in infos]
    return sorted(found, key=lambda row: (row[0].modality, not row[1].available))
