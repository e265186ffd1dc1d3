"""Which Ray to use (`RaySetup`) and its use: connects to a cluster or starts one, and leaves no trace after.

Ray talks much, to the console by default. While a session lasts its log goes to a file, and what workers
print stays in their own logs.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autotl.errors import RunError

_OBJECT_STORE_BYTES = 200 << 20
#: Read by Ray. The other reporter prints, however low its verbosity; the loggers write what nobody reads; Ray
#: warns that it hides GPUs from workers that reserve none, which train on the CPU anyway.
_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class RaySetup:
    """Where trials run and what each may take.

    Attributes:
        address: Of a cluster, "auto" or "HOST:PORT"; None starts Ray on this machine.
        trial_cpus: CPUs that a trial reserves.
        trial_gpus: GPUs that a trial reserves; a share lets several trials use one.
    """

    address: str | None = None
    trial_cpus: float = 1
    trial_gpus: float = 0

    def slots(self, nodes: Iterable[Mapping[str, float]]) -> int:
        """How many trials fit nodes with such resources ({"CPU": 8.0, "GPU": 1.0}) at once.

        Raises:
            RunError: No node has room for one.
        """
        wanted = {"CPU": self.trial_cpus, "GPU": self.trial_gpus}
        wanted = {name: amount for name, amount in wanted.items() if amount}
        offers = [{name: node.get(name, 0) for name in wanted} for node in nodes]
        room = sum(int(min(offer[name] // amount for name, amount in wanted.items())) for offer in offers)
        if not room:
            raise RunError(
                "no node of the Ray cluster has what a trial reserves",
                found="; ".join(map(_listed, offers)),
                expected=_listed(wanted),
                hint="Ask for less with --trial-cpus and --trial-gpus.",
            )
        return room


@contextmanager
def ray_session(address: str | None, log: Path) -> Iterator[None]:
    """A Ray to work with: the one this process has, that at `address`, or one of our own.

    Args:
        address: "auto" or "HOST:PORT" of a cluster that this machine is a node of; None starts Ray here.
        log: File that Ray's own messages go to.

    Raises:
        RunError: There is no cluster at the address.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(_ENVIRONMENT))
        stack.enter_context(_own_signals())
        stack.enter_context(_logged_to(log))
        import ray

        if not ray.is_initialized():
            stack.callback(ray.shutdown)
            _connect(address)
        yield


def _connect(address: str | None) -> None:
    import ray

    if address is None:
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
        )
        return
    try:
        if "://" in address:
            raise ConnectionError("addresses of Ray Client cannot be used")
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RunError(
            "no Ray cluster can be joined there",
            found=f"{address} ({str(error).strip().partition(chr(10))[0]})",
            expected="auto or HOST:PORT of the head of a cluster that this machine is a node of",
            hint="Start one with: ray start --head",
        ) from error


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray Tune installs a handler of SIGINT and keeps it; put back what was there."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Send Ray's log to a file; its logger is set up when ray is imported, so that comes first."""
    from ray._private import worker

    logger = logging.getLogger("ray")
    file = logging.FileHandler(path, delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before, logger.handlers, level = logger.handlers, [file], logger.level
    worker._worker_logs_enabled = False  # deaths of workers are printed, whatever was asked of `ray.init`
    try:
        yield
    finally:
        worker._worker_logs_enabled = True
        logger.handlers = before
        logger.setLevel(level)
        file.close()


def _listed(resources: Mapping[str, float]) -> str:
    """Such as "4 CPU, 1 GPU"."""
    return ", ".join(f"{amount:g} {name}" for name, amount in resources.items())
