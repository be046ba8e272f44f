"""The cold archive in an object store, over its protocol: reached, lost, refused, and gone on with."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import engrain
from engrain.archive.hold import TTL
from engrain.errors import ArchiveConflict, ArchiveError, ArchiveUnavailable
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.objects import BUCKET, Objects, Proxy, objects, proxy

__all__ = ["objects", "proxy"]  # fixtures
PATIENCE = 30.0  # seconds after which an unreachable store has been called that


class Home:
    """A home whose archive is a prefix of the bucket; it knows what it has told."""

    def __init__(self, folder: Path, place: str) -> None:
        self.folder, self.place, self.told, self.world = folder, place, 0, SimulatedWorld("2026-01-01T00:00:00Z")
        self.memory = self.open()

    def open(self, seed: int = 0) -> Memory:
        if seed:
            world = SimulatedWorld("2026-01-01T00:00:00Z", seed=seed)
            world.advance(seconds=(self.world.now() - world.now()) / 1e6)
            return engrain.open(self.folder, archive=self.place, embedder="hash", world=world)
        return engrain.open(self.folder, archive=self.place, embedder="hash", world=self.world)

    def tell(self, n: int) -> None:
        """Some more memories that wait to be archived."""
        names = [f"note {number}" for number in range(self.told, self.told + n)]
        self.memory.agent("ann").remember_many([{"content": name, "expires_in": "1d"} for name in names])
        self.told += n
        self.world.advance(days=2)
        self.memory.sweeps.run("expire")

    def move(self) -> int:
        assert self.memory.archiver is not None
        return self.memory.archiver.run().counts.get("memories", 0)

    def whole(self, moved: bool) -> None:
        """Each memory is in one of the tiers, once."""
        assert self.memory.tables is not None
        first = {"after_tenant": "", "after_agent": "", "after_at": -(2**62), "after_id": "", "limit": 10_000}
        hot = [row["content"] for row in self.memory.store.read("cold_memories", first)]
        cold = self.memory.tables.read("memories", ["content"])["content"].to_pylist()
        assert Counter(hot + cold) == {f"note {n}": 1 for n in range(self.told)}
        assert not (moved and hot)


@pytest.fixture
def home(tmp_path: Path, proxy: Proxy) -> Iterator[Home]:
    found = Home(tmp_path / "home", f"s3://{BUCKET}/{tmp_path.name}")
    yield found
    found.memory.close()


def test_it_is_written_read_deleted_and_vacuumed(home: Home, objects: Objects) -> None:
    for _ in range(2):
        home.tell(5)
        assert home.move() == 5
    home.whole(moved=True)
    with home.open(seed=1) as other:
        assert other.tables is not None
        assert other.tables.read("memories").num_rows == 10
        table = other.tables.table("memories")
        assert table is not None
        table.delete("place % 2 = 0")
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        assert other.tables.read("memories").num_rows == len(other.tables.read("memories")) < 10
    prefix = home.place.removeprefix(f"s3://{BUCKET}/")
    files = [name for name in objects.names() if name.startswith(prefix) and name.endswith(".parquet")]
    assert 1 <= len(files) <= 2, "the replaced files are gone"


def test_somebody_else_commits_at_the_same_moment(home: Home) -> None:
    """The store refuses a commit that another process has made: a holder that slept doubles nothing."""
    home.tell(5)
    home.move()
    home.tell(5)
    home.world.advance(minutes=1)
    other = home.open(seed=2)
    other.world.advance(seconds=TTL / 1e6 + 1)  # type: ignore[attr-defined]
    with other:
        slept: list[Any] = []

        def step(name: str) -> None:
            if name == "opened" and not slept:
                slept.append(other.archiver.run())  # type: ignore[union-attr]

        assert home.memory.archiver is not None
        home.memory.archiver._step = step
        with pytest.raises(ArchiveConflict):
            home.move()
        home.memory.archiver._step = lambda _: None
    home.world.advance(minutes=20)
    home.move()
    home.whole(moved=True)


WRONG = ["denied", "refused", "cut"]


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_is_said_in_time(home: Home, proxy: Proxy, how: str) -> None:
    home.tell(3)
    home.move()
    home.tell(3)
    proxy.fail(1, how, times=10**9)
    for act in (home.move, lambda: home.whole(moved=True)):
        began = time.monotonic()
        with pytest.raises(ArchiveUnavailable) as told:
            act()
        assert time.monotonic() - began < PATIENCE
        assert "\x1b" not in str(told.value)
    proxy.fail(0, how, times=0)
    home.whole(moved=False)
    assert home.move() == 3
    home.whole(moved=True)


def test_no_such_bucket_no_server_no_keys(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.tell(2)
    home.memory.close()
    for place, changed in (
        ("s3://nobody/home", {}),
        (home.place, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
    ):
        with monkeypatch.context() as patch:
            for name, value in changed.items():
                patch.setenv(name, value)
            with engrain.open(home.folder, archive=place, embedder="hash", world=home.world) as memory:
                began = time.monotonic()
                with pytest.raises(ArchiveUnavailable):
                    memory.archiver.run()  # type: ignore[union-attr]
                assert time.monotonic() - began < PATIENCE
        home.world.advance(minutes=20)
    home.memory = home.open()
    assert home.move() == 2
    home.whole(moved=True)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_server_that_does_not_answer_and_one_that_knows_no_keys(
    home: Home, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.tell(2)
    proxy.fail(1, "hangs", times=10**9)
    began = time.monotonic()
    with pytest.raises(ArchiveUnavailable):
        home.move()
    assert time.monotonic() - began < PATIENCE
    proxy.fail(0, "hangs", times=0)
    with monkeypatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        began = time.monotonic()
        with pytest.raises(ArchiveUnavailable):
            home.move()
        assert time.monotonic() - began < PATIENCE
    assert home.move() == 2
    home.whole(moved=True)


def _each(folder: Path, proxy: Proxy, how: str, numbers: Sequence[int]) -> int:
    """In homes of their own, which have a table, fail each of these requests of a run: once, and from then on for good.
    How many runs failed."""
    failed = 0
    for n, times in [(n, times) for n in numbers for times in ((1,) if how == "lost" else (1, 10**9))]:
        home = Home(folder / f"{n} {times}", f"s3://{BUCKET}/{folder.name}/{how}/{n}/{times}")
        home.tell(2)
        home.move()
        home.tell(2)
        proxy.fail(n, how, times)
        try:
            home.move()
        except ArchiveError:
            failed += 1
        through = proxy.seen < n
        proxy.fail(0, how, 0)
        home.whole(moved=False)
        home.world.advance(minutes=20)
        home.move()
        home.whole(moved=True)
        home.memory.close()
        if through:
            break
    return failed


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "lost"])
def test_some_requests_fail(tmp_path: Path, proxy: Proxy, how: str) -> None:
    assert _each(tmp_path, proxy, how, (1, 9)) >= (0 if how == "lost" else 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["refused", "cut", "lost"])
def test_each_request_fails(tmp_path: Path, proxy: Proxy, how: str) -> None:
    assert _each(tmp_path, proxy, how, range(1, 500)) >= (0 if how == "lost" else 5)


@pytest.mark.slow
def test_what_is_forgotten_is_in_no_object(home: Home, objects: Objects) -> None:
    def words() -> str:
        client, found = objects.client(), ""
        for name in (one for one in objects.names() if one.startswith(home.place.removeprefix(f"s3://{BUCKET}/"))):
            body = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
            found += str(pq.read_table(io.BytesIO(body)).to_pylist()) if name.endswith(".parquet") else body.decode()
        return found

    for _ in range(5):
        home.tell(2)
        assert home.move() == 2
    agent = home.memory.agent("ann")
    first = next(one.id for one in agent.archived() if one.content == "note 0")
    assert "note 0" in words()
    assert agent.forget(first)
    assert "note 0" not in words()
    assert len(agent.archived()) == 9
    assert home.memory.archive.compact() == {}
    assert agent.restore(agent.archived()[0].id).content == "note 9"
    (check,) = [one for one in home.memory.doctor().checks if one.name == "archive"]
    assert check.ok, check.detail
