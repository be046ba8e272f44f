"""Damaged, read-only, full: a clear error of our tree, nothing acknowledged is lost, and it works again afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import engrain
from engrain import EngrainError
from engrain.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from tests import children

FILE = "engrain.db"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with three items, closed, and a backup beside it."""
    folder = tmp_path / "home"
    with engrain.open(folder, embedder="hash") as memory:
        memory.agent("a").remember_many([{"content": f"item number {i} " + "word " * 300} for i in range(60)])
        memory.backup(tmp_path / "backup.db")
    return folder


def works_again(home: Path, count: int | None = 60) -> None:
    """The home can be written and read, and the doctor finds nothing."""
    with engrain.open(home, embedder="hash") as memory:
        agent = memory.agent("a")
        if count is not None:
            assert agent.count() == count
        item = agent.remember("written after the accident")
        assert agent.recall("written after the accident", limit=1)[0].item.id == item.id
        assert memory.doctor().ok


def restore(home: Path) -> None:
    """What the error tells people to do."""
    engrain.restore_backup(home.parent / "backup.db", home, force=True)


def use(home: Path) -> None:
    """Everything that touches most of the file."""
    with engrain.open(home, embedder="hash") as memory:
        agent = memory.agent("a")
        agent.list(limit=1000)
        agent.recall("item number 7", limit=50)
        agent.remember("one more")
        memory.stats()
        report = memory.doctor()
        if not report.ok:
            raise StoreCorrupt(str(report))


def overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(random.Random(at).randbytes(length))


ACCIDENTS: dict[str, Callable[[Path], object]] = {
    "random bytes in the header": lambda path: overwrite(path, 0, 100),
    "random bytes in the first page": lambda path: overwrite(path, 100, 2000),
    "random bytes in the middle": lambda path: overwrite(path, path.stat().st_size // 2, 20_000),
    "all of it random": lambda path: path.write_bytes(random.Random(1).randbytes(100_000)),
    "cut off within a page": lambda path: os.truncate(path, path.stat().st_size // 2 + 100),
    "cut off between pages": lambda path: os.truncate(path, path.stat().st_size // 4096 // 2 * 4096),
    "cut off after the header": lambda path: os.truncate(path, 50),
    "empty": lambda path: os.truncate(path, 0),
    "a text": lambda path: path.write_text("this is no store", encoding="utf-8"),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_a_damaged_file_is_refused_in_words_and_a_backup_brings_it_back(home: Path, name: str) -> None:
    ACCIDENTS[name](home / FILE)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"(?i)damage|schema|corrupt|backup"):
            use(home)
    restore(home)
    works_again(home)


@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_is_an_error_of_the_tree_or_harmless(home: Path, seed: int) -> None:
    """Whatever bytes are hit: no error of another kind comes out, and nothing hangs."""
    path = home / FILE
    rng = random.Random(seed)
    for _ in range(5):
        overwrite(path, rng.randrange(100, path.stat().st_size), rng.choice([1, 8, 200]))
    for _ in range(2):
        with contextlib.suppress(EngrainError):
            use(home)
    restore(home)
    works_again(home)


def test_a_log_whose_store_is_gone_is_not_played_into_a_new_one(home: Path) -> None:
    code = """
    import engrain
    memory = engrain.open(given, embedder="hash")
    memory.agent("a").remember("only in the log yet")
    say(1)
    time.sleep(60)
    """
    process = children.spawn(code, str(home))
    children.hear(process)
    children.kill(process)
    assert (home / f"{FILE}-wal").stat().st_size > 0
    (home / FILE).rename(home / "elsewhere")
    with pytest.raises(StoreCorrupt, match="gone"):
        engrain.open(home, embedder="hash")
    (home / "elsewhere").rename(home / FILE)
    works_again(home, 61)


def test_a_deleted_log_loses_at_most_what_was_in_it(home: Path) -> None:
    code = """
    import engrain
    memory = engrain.open(given, embedder="hash")
    memory.agent("a").remember("only in the log yet")
    say(1)
    time.sleep(60)
    """
    process = children.spawn(code, str(home))
    children.hear(process)
    children.kill(process)
    (home / f"{FILE}-wal").unlink()
    works_again(home, 60)


def open_to_nobody(path: Path) -> None:
    """Let everybody through the folders above, down to the home."""
    for folder in path.parents:
        if folder.owner() == "root" and folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(0o755)


USE = """
import engrain, tempfile
from engrain.errors import EngrainError
def attempt(act):
    try:
        act()
        say("done")
    except EngrainError as error:
        say([type(error).__name__, str(error)])
def become_nobody():
    \"\"\"Root may write anything. Everything is imported before: nobody may not read root's packages.\"\"\"
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder, embedder="hash") as memory:
        memory.agent("a").remember("warm up")
        memory.agent("a").recall("warm up")
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="changes the user of a child")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_says_so_and_works_when_it_may(home: Path, mode: int) -> None:
    open_to_nobody(home)
    for path in home.iterdir():
        path.chmod(0o444)
    home.chmod(mode)
    code = USE + 'become_nobody()\nattempt(lambda: engrain.open(given, embedder="hash").agent("a").remember("x y z"))'
    ((name, words),) = children.run(code, str(home))
    assert name in ("StoreReadOnly", "StoreUnavailable", "ConfigError")
    assert str(home) in words
    assert "writ" in words or "denied" in words
    home.chmod(0o700)
    for path in home.iterdir():
        path.chmod(0o600)
    works_again(home)


@pytest.mark.skipif(sys.platform != "linux", reason="changes the user of a child")
def test_a_home_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    open_to_nobody(closed / "x")
    code = USE + 'become_nobody()\nattempt(lambda: engrain.open(given, embedder="hash"))'
    ((name, words),) = children.run(code, str(closed / "home"))
    assert name in (StoreUnavailable.__name__, StoreReadOnly.__name__)
    assert "closed" in words


def test_a_home_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreUnavailable, match="file"):
        engrain.open(tmp_path / "file", embedder="hash")


def test_a_full_disk_refuses_the_write_and_keeps_what_was_there(home: Path) -> None:
    """The child may not make a file longer than it is now, which is what a full disk looks like from inside."""
    code = (
        USE
        + """
    import resource
    memory = engrain.open(given, embedder="hash")
    agent = memory.agent("a")
    count = agent.count()
    limit = 200_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    for i in range(100):
        try:
            agent.remember(f"number {i} " + "filler " * 3000)
            count += 1
        except EngrainError as error:
            say([type(error).__name__, str(error)])
            break
    say(agent.count() == count)
    say(len(agent.recall("filler number", limit=1)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    agent.remember("there is room again")
    say(agent.count() == count + 1)
    say(memory.doctor().ok)
    memory.close()
    say(count + 1)
    """.replace("\n    ", "\n")
    )
    (name, words), same, recalled, grew, sound, count = children.run(code, str(home))
    assert name == StoreFull.__name__, words
    assert "no room" in words
    assert (same, recalled, grew, sound) == (True, 1, True, True)
    works_again(home, count)


def test_a_full_disk_at_the_very_beginning_says_so(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = USE + 'attempt(lambda: engrain.open(given, embedder="hash"))'
    ((name, _),) = children.run(code, str(tmp_path / "home"), before=limit)
    assert name == StoreFull.__name__
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        assert memory.agent("a").remember("there is room now").content


def test_a_backup_never_overwrites_and_is_whole(home: Path, tmp_path: Path) -> None:
    with engrain.open(home, embedder="hash") as memory:
        with pytest.raises(StoreError, match="never overwrites"):
            memory.backup(tmp_path / "backup.db")
        target = memory.backup(tmp_path / "new" / "second.db")
    (tmp_path / "other").mkdir()
    shutil.copy(target, tmp_path / "other" / FILE)
    works_again(tmp_path / "other")


def test_a_backup_killed_half_way_is_no_backup(home: Path, tmp_path: Path) -> None:
    code = """
    import engrain, sqlite3
    from engrain.store.sqlite import SqliteStore
    whole = SqliteStore._copy
    SqliteStore._copy = lambda self, path: (whole(self, path), say(1), time.sleep(60))
    engrain.open(given[0], embedder="hash").backup(given[1])
    """
    process = children.spawn(code, [str(home), str(tmp_path / "killed.db")])
    children.hear(process)
    children.kill(process)
    assert not (tmp_path / "killed.db").exists()
    with engrain.open(home, embedder="hash") as memory:
        assert memory.backup(tmp_path / "killed.db").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_backup_that_cannot_be_written_says_so_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with engrain.open(home, embedder="hash") as memory, pytest.raises(StoreError, match="cannot be written"):
        memory.backup(tmp_path / "file" / "copy.db")
    code = (
        USE
        + """
import resource
memory = engrain.open(given[0], embedder="hash")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
attempt(lambda: memory.backup(given[1]))
"""
    )
    ((name, _),) = children.run(code, [str(home), str(tmp_path / "full.db")])
    assert name == StoreFull.__name__
    assert not list(tmp_path.glob("full.db*"))
