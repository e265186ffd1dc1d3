"""The feature store: shared by runs and processes, held to a size, and never wrong after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from autotl.errors import StorageError
from autotl.features import store as stores
from autotl.features import turns
from autotl.features.arrays import RaggedArray, RowArray
from autotl.features.frozen import View
from autotl.features.store import FeatureStore
from autotl.testing.workbench import tiny_workbench

ROW_BYTES = 64 * 1024


def fill(folder: Path, name: str = "pooled-plain", used: float | None = None) -> None:
    """An array of one row of 64 KiB."""
    array = RowArray(folder / name, 1, (ROW_BYTES,), np.uint8)
    array.write(np.array([0]), np.full((1, ROW_BYTES), 7, np.uint8))
    array.commit()
    del array
    if used is not None:
        for path in folder.glob(f"{name}*.npy"):
            os.utime(path, (used, used))


def arrays(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.rows.npy"))


@pytest.fixture
def process():
    """Starts Python on some code; what still runs at the end is killed."""
    started = []

    def start(code: str, *words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, words)]
        started.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_a_later_run_finds_what_an_earlier_one_left(tmp_path):
    first = FeatureStore(tmp_path)
    fill(first.open({"a": 1}))
    first.close()
    second = FeatureStore(tmp_path)
    again = RowArray(second.open({"a": 1}) / "pooled-plain", 1, (ROW_BYTES,), np.uint8)
    assert len(again.missing(np.array([0]))) == 0
    assert second.open({"a": 2}) != second.open({"a": 1})


def test_with_a_limit_of_nothing_nothing_stays(tmp_path):
    store = FeatureStore(tmp_path, 0)
    fill(store.open({"a": 1}))
    assert arrays(tmp_path)
    store.close()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_the_least_recently_used_arrays_go_first_also_within_an_entry(tmp_path):
    store = FeatureStore(tmp_path, 5 * ROW_BYTES // 2)
    one, other = store.open({"a": 1}), store.open({"a": 2})
    fill(one, "first", used=100)
    fill(one, "fourth", used=400)
    fill(other, "second", used=200)
    fill(other, "third", used=300)
    store.close()
    assert arrays(tmp_path) == ["fourth.rows.npy", "third.rows.npy"]


def test_opening_an_array_is_a_use(tmp_path):
    store = FeatureStore(tmp_path, 3 * ROW_BYTES // 2)
    folder = store.open({"a": 1})
    fill(folder, "old", used=100)
    fill(folder, "new", used=200)
    RowArray(folder / "old", 1, (ROW_BYTES,), np.uint8)
    store.close()
    assert arrays(tmp_path) == ["old.rows.npy"]


def test_the_limit_is_the_smaller_of_20_gib_and_a_fifth_of_the_disk(tmp_path, monkeypatch):
    disk = type("Disk", (), {"free": 10 * 2**30})
    monkeypatch.setattr(stores.shutil, "disk_usage", lambda _: disk)
    assert FeatureStore(tmp_path)._limit(5 * 2**30) == 3 * 2**30
    disk.free = 2**40
    assert FeatureStore(tmp_path)._limit(0) == 20 * 2**30


def test_rows_that_were_never_written_count_for_nothing(tmp_path):
    if not hasattr(os.stat_result, "st_blocks"):
        pytest.skip("this system does not tell what a file takes")
    RowArray(tmp_path / "sparse", 10_000, (ROW_BYTES,), np.uint8)
    assert sum(array.size_bytes for array in stores._arrays(tmp_path)) < 100 * ROW_BYTES


HOLD = """
import sys, time
from pathlib import Path
from autotl.features.store import FeatureStore
store = FeatureStore(Path(sys.argv[1]))
store.open({"a": 1})
print("open", flush=True)
time.sleep(600)
"""


def test_an_entry_in_use_by_another_process_stays_until_that_is_dead(tmp_path, process):
    fill(FeatureStore(tmp_path).open({"a": 1}))
    user = process(HOLD, tmp_path)
    assert user.stdout.readline() == "open\n"
    FeatureStore(tmp_path, 0).evict()
    assert arrays(tmp_path) == ["pooled-plain.rows.npy"]
    user.kill()
    user.wait()
    FeatureStore(tmp_path, 0).evict()
    assert arrays(tmp_path) == []


def test_what_a_dead_process_was_making_is_swept(tmp_path):
    store = FeatureStore(tmp_path)
    folder = store.open({"a": 1})
    fill(folder)
    (folder / ".hidden2-plain.npy.17.tmp").write_bytes(b"half")
    store.close()
    assert not list(folder.glob(".*.tmp"))
    assert arrays(tmp_path)


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot use the folder of cached features.*--cache-dir"):
        FeatureStore(tmp_path / "file" / "features").open({"a": 1})


# --- several processes, and kills -----------------------------------------------------------------------

MAKE = """
import sys, time
from pathlib import Path
import numpy as np
from autotl.features.arrays import RowArray
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.001)
for number in range(40):
    array = RowArray(Path(sys.argv[1], f"array{number}"), 4, (8,), np.int64)
    row = int(sys.argv[2])
    array.write(np.array([row]), np.full((1, 8), row))
    array.commit()
"""


def test_processes_that_make_the_same_arrays_at_once_lose_nothing(tmp_path, process):
    makers = [process(MAKE, tmp_path, row) for row in range(4)]
    time.sleep(1)
    (tmp_path / "go").touch()
    assert [maker.wait() for maker in makers] == [0] * 4
    for number in range(40):
        array = RowArray(tmp_path / f"array{number}", 4, (8,), np.int64)
        assert len(array.missing(np.arange(4))) == 0
        assert array.read(np.arange(4)).tolist() == [[row] * 8 for row in range(4)]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from autotl.features.arrays import RaggedArray

class Values:
    def __getitem__(self, at):
        if at[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.ones((at[1].stop, 4))

array = RaggedArray(Path(sys.argv[1]) / "r", np.full(6, 3), 4, np.float16)
array.write(np.array([5]), np.full((1, 3, 4), 5.0))
array.commit()
array.write(np.array([0, 1, 2, 3]), Values())
array.commit()
"""


def test_no_row_counts_as_present_after_a_kill_in_the_middle_of_its_write(tmp_path, process):
    assert process(KILLED, tmp_path).wait() == -signal.SIGKILL
    array = RaggedArray(tmp_path / "r", np.full(6, 3), 4, np.float16)
    assert array.missing(np.arange(6)).tolist() == [0, 1, 2, 3, 4]
    assert array.read(np.array([5])).tolist() == [[[5.0] * 4] * 3]


LARGE = """
import sys
from pathlib import Path
import numpy as np
from autotl.features.arrays import RowArray
array = RowArray(Path(sys.argv[1]) / "large", 32, (2**20,), np.uint8)
values = {row: np.full((1, 2**20), row + 1, np.uint8) for row in range(32)}
print("ready", flush=True)
for row in array.missing(np.arange(32)):
    array.write(np.array([row]), values[row])
    array.commit()
"""


def test_kills_at_any_time_never_leave_a_wrong_row(tmp_path, process):
    for delay in (0.002, 0.005, 0.01, 0.02):
        writer = process(LARGE, tmp_path)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(delay)
        writer.kill()
        writer.wait()
        array = RowArray(tmp_path / "large", 32, (2**20,), np.uint8)
        present = np.setdiff1d(np.arange(32), array.missing(np.arange(32)))
        for row in present:
            assert np.unique(array.read(np.array([row]))).tolist() == [row + 1]


COMPUTE = """
import sys, time
from pathlib import Path
import numpy as np
from autotl.features import frozen
from autotl.testing.workbench import tiny_workbench
bench = tiny_workbench(Path(sys.argv[1]))
frozen._COMMIT_SECONDS = 0.0
computed = []
inner = bench.frozen._augmented
def slowly(batch, view, rows):
    print("batch", len(rows), flush=True)
    time.sleep(float(sys.argv[2]))
    return inner(batch, view, rows)
bench.frozen._augmented = slowly
bench.frozen.pooled(np.arange(48), (1,), capture=(2,))
"""


def rows_computed(done: subprocess.Popen[str]) -> int:
    out, _ = done.communicate(timeout=300)
    return sum(int(line.split()[1]) for line in out.splitlines())


@pytest.mark.slow
def test_of_two_processes_one_computes_and_the_other_waits_for_it(tmp_path, process):
    both = [process(COMPUTE, tmp_path, 0.5) for _ in range(2)]
    assert sum(rows_computed(one) for one in both) == 48
    assert [one.returncode for one in both] == [0, 0]


@pytest.mark.slow
def test_what_a_killed_process_had_computed_is_kept_and_the_rest_is_done_by_another(tmp_path, process):
    first = process(COMPUTE, tmp_path, 0.2)
    assert [first.stdout.readline() for _ in range(2)] == ["batch 16\n"] * 2
    first.kill()
    first.wait()
    assert rows_computed(process(COMPUTE, tmp_path, 0)) in (16, 32)
    kept = tiny_workbench(tmp_path).frozen
    assert len(kept._pooled_array(View()).missing(np.arange(48))) == 0
    (tmp_path / "alone").mkdir()
    alone = tiny_workbench(tmp_path / "alone").frozen
    assert np.allclose(kept.pooled(np.arange(48), (1,)), alone.pooled(np.arange(48), (1,)), atol=1e-5)


def test_a_process_that_gets_nowhere_is_not_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(turns, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(turns, "_STALL_SECONDS", 0.1)
    with turns.turn(tmp_path / "lock", lambda: 1), turns.turn(tmp_path / "lock", lambda: 3):
        assert "gets nowhere" in caplog.text


def test_nobody_waits_once_another_process_has_brought_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_POLL_SECONDS", 0.01)
    left = iter([3, 2, 0])
    with turns.turn(tmp_path / "lock", lambda: 1), turns.turn(tmp_path / "lock", lambda: next(left)):
        assert next(left, None) is None
