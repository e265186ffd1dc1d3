"""Files from a Hugging Face hub: found in the cache or downloaded, and always checked.

Uses huggingface_hub and its cache; heeds `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_HOME` and `HF_HUB_CACHE`.
The client accepts damaged bodies, so every file is compared with the hub's own checksum at its first
download, and with the lock file ever after. Pickled weights (`.bin`, `.pt`) are never asked for.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from autotl.backbones.checksum import check, sha256
from autotl.backbones.lock import LockEntry, lock_path, locked_revision, read_lock, record
from autotl.errors import BackboneUnavailableError, ChecksumError

_logger = logging.getLogger(__name__)
_PROBE_SECONDS = 2.0
_SHA256_DIGITS = 64
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


def endpoint() -> str:
    """Address of the hub: `HF_ENDPOINT`, else the public one."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def offline_by_environment() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "true", "yes")


def hub_cache() -> Path:
    """The folder that huggingface_hub shares among programs."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    home = os.environ.get("HF_HOME")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(home).expanduser() if home else Path(base) / "huggingface") / "hub"


def reachable() -> bool:
    """Whether the hub answers; asked once a process and endpoint, for two seconds at most."""
    return not offline_by_environment() and _probe(endpoint())


@cache
def _probe(address: str) -> bool:
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):
                answered.set()
        except urllib.error.HTTPError:
            answered.set()  # any answer at all is one
        except (OSError, ValueError) as error:
            _logger.info("the hub at %s does not answer: %s", address, error)

    # In a thread, because looking up a name has no time limit of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return answered.is_set()


def forget_probe() -> None:
    """Ask the hub anew next time."""
    _probe.cache_clear()


def cached(repository: str, file: str, revision: str | None = None) -> Path | None:
    """The file in the cache, unchecked, or None.

    Takes the locked revision, then `revision` or "main"; where the cache knows none of that name, as the lock
    file was lost, the only revision that it has.
    """
    from huggingface_hub import try_to_load_from_cache

    locked = locked_revision(repository)
    found = try_to_load_from_cache(
        repository, file, cache_dir=hub_cache(), revision=locked or revision or "main"
    )
    if found is None and locked is None and revision is None:
        there = list(hub_cache().glob(f"models--{repository.replace('/', '--')}/snapshots/*/{file}"))
        found = str(there[0]) if len(there) == 1 else None
    return Path(found) if isinstance(found, str) else None


def fetch(repository: str, file: str, *, revision: str | None = None, offline: bool = False) -> Path:
    """A file of a model repository, from the cache or the hub, checked.

    Args:
        repository: Hub id, "owner/name".
        file: Name in the repository.
        revision: Branch, tag or commit to begin with; the lock file's goes before it.
        offline: Never touch the network.

    Raises:
        BackboneUnavailableError: It is neither cached nor can it be downloaded.
        ChecksumError: Its bytes are not those that the hub states or the lock file records.
    """
    if file.endswith(_PICKLED):
        raise BackboneUnavailableError(
            "pickled weights are never loaded", found=f"{repository}/{file}", expected="a .safetensors file"
        )
    entry = read_lock().get(f"{repository}/{file}")
    path = cached(repository, file, revision)
    if path is not None:
        if entry is None:
            _trust(repository, file, path)
        else:
            _check_lock(repository, file, path, entry)
        return path
    if offline or offline_by_environment():
        raise _unavailable(repository, file, "this run is offline", "Run once without --offline.")
    if not reachable():
        raise _unavailable(
            repository, file, f"the hub at {endpoint()} does not answer", "Check the network, or HF_ENDPOINT."
        )
    return _download(repository, file, entry, locked_revision(repository) or revision or "main")


def _unavailable(repository: str, file: str, why: str, hint: str) -> BackboneUnavailableError:
    return BackboneUnavailableError(f"{repository}/{file} is not in the cache and {why}", hint=hint)


def _check_lock(repository: str, file: str, path: Path, entry: LockEntry) -> None:
    hint = f"If the change is meant, remove the entry {repository}/{file} from {lock_path()} and {path}"
    check(path, entry.sha256, hint=hint)


def _trust(repository: str, file: str, path: Path) -> None:
    """Record a file that another program downloaded; its blob is named by the hub's checksum."""
    blob = path.resolve().name
    _check_etag(path, blob, f"{repository}/{file}")
    record(f"{repository}/{file}", LockEntry(path.parent.name, sha256(path)))


def _download(repository: str, file: str, entry: LockEntry | None, revision: str) -> Path:
    """Download at a revision, compare with the hub's checksum, then with the lock entry or record one."""
    from huggingface_hub import errors

    try:
        path, etag = _request(repository, file, revision)
    except errors.GatedRepoError as error:
        hint = f"Accept its licence at {endpoint()}/{repository}, then set HF_TOKEN."
        raise _unavailable(repository, file, "its owner asks for consent first", hint) from error
    except errors.RevisionNotFoundError as error:
        hint = f"If the change is meant, remove the entries of {repository} from {lock_path()}"
        raise _unavailable(repository, file, f"the hub has no revision {revision}", hint) from error
    except errors.RepositoryNotFoundError as error:
        why = "the hub has no such repository"
        raise _unavailable(repository, file, why, "See `autotl backbones`.") from error
    except errors.RemoteEntryNotFoundError as error:
        hint = "Only repositories with safetensors and tokenizer.json can be used."
        raise _unavailable(repository, file, "the repository has no such file", hint) from error
    except (_transport_error(), OSError) as error:
        why = f"the download failed ({type(error).__name__}: {error})"
        raise _unavailable(repository, file, why, "Check the network and run again.") from error
    label = f"{repository}/{file}"
    _check_etag(path, etag, label)
    if entry is None:
        record(label, LockEntry(path.parent.name, sha256(path)))
        _logger.info("downloaded %s at %s", label, path.parent.name)
    else:
        _check_lock(repository, file, path, entry)
    return path


def _request(repository: str, file: str, revision: str) -> tuple[Path, str | None]:
    """Ask the hub for commit and checksum, download at that commit; the path and the checksum."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    address = hf_hub_url(repository, file, revision=revision, endpoint=endpoint())
    facts = get_hf_file_metadata(address, endpoint=endpoint(), timeout=5.0)
    path = hf_hub_download(
        repository,
        file,
        revision=facts.commit_hash or revision,
        cache_dir=hub_cache(),
        endpoint=endpoint(),
        etag_timeout=5.0,
    )
    return Path(path), facts.etag


def _transport_error() -> type[Exception]:
    """Base of the errors of the client's HTTP library, which differs between its releases."""
    from huggingface_hub.errors import HfHubHTTPError

    base: type[Exception] = HfHubHTTPError.__bases__[0]
    return base


def _check_etag(path: Path, etag: str | None, label: str) -> None:
    """Compare with the hub's checksum: a sha256 for large files, the sha1 of the git blob for small ones.

    A damaged file is removed from the cache, so that the next run downloads it again.
    """
    if etag is None:
        return
    if len(etag) == _SHA256_DIGITS:
        found = sha256(path)
    else:
        body = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
        if len(found) != len(etag):
            return  # a hub with etags of its own kind; the lock file holds from here on
    if found != etag:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise ChecksumError(
            f"the downloaded {label} is damaged",
            found=found,
            expected=etag,
            hint="The damaged copy was removed: run again.",
        )
