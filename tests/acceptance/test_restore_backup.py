"""A backup is put in the place of a store, whole or not at all: damage, other processes, kills at every step."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import engrain
from engrain.errors import ConfigError, EngrainError, InvalidField, SchemaTooNew, StoreBusy, StoreCorrupt
from engrain.shells.cli import main
from tests import children

FILE = "engrain.db"


def contents(home: Path) -> list[str]:
    with engrain.open(home, embedder="hash") as memory:
        assert memory.doctor().ok
        return [item.content for item in memory.agent("a").list()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that went on after its backup was made."""
    folder = tmp_path / "home"
    with engrain.open(folder, embedder="hash") as memory:
        memory.agent("a").remember("from the backup")
        memory.backup(tmp_path / "copy.db")
        memory.agent("a").remember("told later")
    return folder


@pytest.fixture
def copy(home: Path) -> Path:
    return home.parent / "copy.db"


def test_a_backup_becomes_a_home(copy: Path, tmp_path: Path) -> None:
    found = engrain.restore_backup(copy, tmp_path / "deep" / "new")
    assert found["kept"] is None
    assert [found[name] for name in ("memories", "agents", "experiences")] == [1, 1, 0]
    assert contents(tmp_path / "deep" / "new") == ["from the backup"]
    assert [path.name for path in (tmp_path / "deep" / "new").iterdir()] == [FILE], "no draft, no log is left"
    assert (tmp_path / "deep" / "new" / FILE).stat().st_mode & 0o077 == 0


def test_what_is_replaced_is_kept_whole(home: Path, copy: Path) -> None:
    with pytest.raises(InvalidField, match="say force"):
        engrain.restore_backup(copy, home)
    assert contents(home) == ["from the backup", "told later"]
    first, second = (engrain.restore_backup(copy, home, force=True)["kept"] for _ in range(2))
    assert first != second
    assert contents(home) == ["from the backup"]
    assert engrain.restore_backup(Path(first), home, force=True)["memories"] == 2
    assert contents(home) == ["from the backup", "told later"]


def test_the_log_of_a_killed_process_stays_with_the_store_it_belongs_to(home: Path, copy: Path) -> None:
    code = """
    import engrain
    memory = engrain.open(given, embedder="hash")
    memory.agent("a").remember("only in the log yet")
    say(1)
    time.sleep(60)
    """
    process = children.spawn(code, str(home))
    children.hear(process)
    with pytest.raises(StoreBusy, match="open in another process"):
        engrain.restore_backup(copy, home, force=True)
    children.kill(process)
    assert (home / f"{FILE}-wal").stat().st_size > 0
    kept = engrain.restore_backup(copy, home, force=True)["kept"]
    assert contents(home) == ["from the backup"]
    engrain.restore_backup(kept, home.parent / "old")
    assert contents(home.parent / "old") == ["from the backup", "told later", "only in the log yet"]


def test_a_damaged_store_and_a_log_without_one_are_kept_aside(home: Path, copy: Path) -> None:
    (home / FILE).write_bytes(b"\xff" * 5000)
    kept = Path(str(engrain.restore_backup(copy, home, force=True)["kept"]))
    assert kept.read_bytes() == b"\xff" * 5000
    (home / FILE).unlink()
    (home / f"{FILE}-wal").write_bytes(b"a log")
    with pytest.raises(InvalidField, match="-wal"):
        engrain.restore_backup(copy, home)
    kept = Path(str(engrain.restore_backup(copy, home, force=True)["kept"]))
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"a log"
    assert contents(home) == ["from the backup"]


def test_a_store_that_was_damaged_while_it_is_open_is_not_replaced(home: Path, copy: Path) -> None:
    code = """
    import engrain
    memory = engrain.open(given, embedder="hash")
    say(memory.agent("a").count())
    time.sleep(60)
    """
    process = children.spawn(code, str(home))
    children.hear(process)
    with (home / FILE).open("r+b") as file:
        file.write(b"\xff" * 100)
    with pytest.raises(StoreBusy, match="open in another process"):
        engrain.restore_backup(copy, home, force=True)
    children.kill(process)
    engrain.restore_backup(copy, home, force=True)
    assert contents(home) == ["from the backup"]


def test_a_home_that_this_process_has_open_is_not_replaced(home: Path, copy: Path) -> None:
    with engrain.open(home, embedder="hash") as memory:
        with pytest.raises(StoreBusy, match="Nothing was changed"):
            engrain.restore_backup(copy, home, force=True)
        assert memory.agent("a").count() == 2
        assert memory.agent("a").remember("and it goes on").content
    assert not list(home.glob(".*"))


def test_a_bad_copy_changes_nothing(home: Path, copy: Path, tmp_path: Path) -> None:
    bad = {name: tmp_path / name for name in ("text", "empty", "other", "cut", "newer", "hit")}
    bad["text"].write_text("no database", encoding="utf-8")
    bad["empty"].touch()
    with closing(sqlite3.connect(bad["other"])) as other:
        other.execute("create table memories (content text)")
    whole = copy.read_bytes()
    bad["cut"].write_bytes(whole[: len(whole) // 4096 // 2 * 4096])
    page = len(whole) // 4096 // 2 * 4096
    bad["hit"].write_bytes(whole[:page] + b"\xff" * 8192 + whole[page + 8192 :])
    shutil.copy(copy, bad["newer"])
    with closing(sqlite3.connect(bad["newer"])) as newer, newer:
        newer.execute("insert into schema_migrations values (99, 'later', 'x', 'then')")
    for name, path in bad.items():
        with pytest.raises(SchemaTooNew if name == "newer" else StoreCorrupt):
            engrain.restore_backup(path, home, force=True)
    for path in (tmp_path / "nothing", tmp_path, home / FILE):
        with pytest.raises(InvalidField):
            engrain.restore_backup(path, home, force=True)
    assert contents(home) == ["from the backup", "told later"]
    assert [path.name for path in home.iterdir()] == [FILE]


def test_a_kill_at_any_step_leaves_the_old_store_or_the_new_one(home: Path, copy: Path) -> None:
    code = """
    import engrain
    steps = iter(range(given["step"]))
    def killed(act):
        def run(*args, **kwargs):
            if next(steps, None) is None:
                os._exit(9)
            return act(*args, **kwargs)
        return run
    for name in ("open", "fsync", "link", "unlink", "rename", "replace"):
        setattr(os, name, killed(getattr(os, name)))
    engrain.restore_backup(given["copy"], given["home"], force=True)
    """
    old = home.parent / "old"
    home.rename(old)
    seen = []
    for step in range(40):
        shutil.copytree(old, home)
        process = children.spawn(code, {"step": step, "copy": str(copy), "home": str(home)})
        process.communicate(timeout=50)
        seen.append(contents(home))
        engrain.restore_backup(copy, home, force=True)  # the next one succeeds, and takes leftovers away
        assert contents(home) == ["from the backup"]
        sides = [path for path in home.iterdir() if path.name != FILE]
        assert all(path.name.startswith(f"{FILE}.replaced-") for path in sides)
        assert not any(path.samefile(home / FILE) for path in sides), "the store has one name"
        assert any(len(_items(path)) == 2 for path in sides), "what was replaced is there"
        shutil.rmtree(home)
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert seen == sorted(seen, key=len, reverse=True), "first the old one, then the new one, nothing else"
    assert [len(one) for one in (seen[0], seen[-1])] == [2, 1]
    assert len(seen) > 8


def _items(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as store:
        return [row[0] for row in store.execute("select content from memories")]


def test_whoever_opened_the_old_file_too_early_does_not_touch_the_new_one(home: Path, copy: Path) -> None:
    with closing(sqlite3.connect(home / FILE)) as early:
        engrain.restore_backup(copy, home, force=True)
        with pytest.raises(sqlite3.OperationalError) as caught:
            early.execute("pragma journal_mode = wal")
        assert caught.value.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED
    assert [path.name for path in home.iterdir() if "replaced" not in path.name] == [FILE]


def test_processes_that_come_and_go_meanwhile_see_a_whole_store(home: Path, copy: Path) -> None:
    code = """
    import engrain
    end = time.monotonic() + 2
    while time.monotonic() < end:
        with engrain.open(given, embedder="hash") as memory:
            memory.agent("a").remember(f"by {os.getpid()} at {time.monotonic()}")
    say(1)
    """
    users = [children.spawn(code, str(home)) for _ in range(2)]
    done = 0
    while any(user.poll() is None for user in users):
        try:
            engrain.restore_backup(copy, home, force=True)
            done += 1
        except StoreBusy:
            continue
    assert [children.said(user) for user in users] == [[1], [1]]
    assert done, "a moment came when nobody had it open"
    engrain.restore_backup(copy, home, force=True)
    assert contents(home) == ["from the backup"]
    assert all(_items(path) for path in home.glob(f"{FILE}.replaced-*"))


def test_the_command(home: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore-backup", str(copy), "--home", str(home)]) == 2
    assert "force" in capsys.readouterr().err
    assert main(["restore-backup", str(copy), "--home", str(home), "--force", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memories"] == 1
    assert Path(found["kept"]).exists()
    (home / FILE).write_bytes(b"nothing that could be opened")
    assert main(["restore-backup", str(copy), "--home", str(home), "--force"]) == 0
    said = capsys.readouterr().out
    assert "1 memories" in said
    assert "kept as" in said
    assert main(["restore-backup", str(copy), "--home", "postgresql://nowhere/x"]) == 3
    assert "pg_restore" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error_of_the_tree(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngrainError, match="cannot be restored"):
        engrain.restore_backup(copy, tmp_path / "file" / "home")


def test_a_server_is_restored_with_its_own_tools(copy: Path) -> None:
    with pytest.raises(ConfigError, match="pg_restore"):
        engrain.restore_backup(copy, "postgresql://nowhere/x", force=True)
