"""Time, ids and randomness under control."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from engrain.testing import SimulatedWorld
from engrain.world import RealWorld, encode_id, from_micros, to_micros


def test_a_simulated_world_moves_only_when_told() -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=0)
    assert from_micros(world.now()) == datetime(2026, 1, 1, tzinfo=UTC)
    assert world.now() == world.now()
    world.advance(days=8, seconds=0.5)
    assert from_micros(world.now()) == datetime(2026, 1, 9, 0, 0, 0, 500_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="back in time"):
        world.advance(seconds=-1)
    assert from_micros(world.now()) == datetime(2026, 1, 9, 0, 0, 0, 500_000, tzinfo=UTC)


def test_it_begins_at_a_moment_with_a_time_zone() -> None:
    plus_two = timezone(timedelta(hours=2))
    assert SimulatedWorld(datetime(2026, 1, 1, 2, tzinfo=plus_two)).now() == SimulatedWorld().now()
    for naive in ("2026-01-01T00:00:00", datetime(2026, 1, 1)):  # noqa: DTZ001 (that is what is refused)
        with pytest.raises(ValueError, match="time zone"):
            SimulatedWorld(naive)
    with pytest.raises(ValueError):
        SimulatedWorld("yesterday")


def test_the_same_seed_gives_the_same_world_and_each_opening_another() -> None:
    def life(seed: int, openings: int) -> list[object]:
        world = SimulatedWorld(seed=seed)
        for number in range(openings):
            world.enter(lambda number=number: number + 1)  # type: ignore[misc]
        return [world.new_id(), world.new_id(), world.rng.random()]

    assert life(1, 1) == life(1, 1)
    lives = [life(seed, openings) for seed in (1, 2) for openings in (0, 1, 2)]
    assert len({str(one) for one in lives}) == 6
    assert len({one[0] for one in lives}) == 6


@pytest.mark.parametrize("world", [RealWorld(), SimulatedWorld()], ids=["real", "simulated"])
def test_ids_sort_in_the_order_in_which_they_were_given(world: RealWorld | SimulatedWorld) -> None:
    ids = [world.new_id() for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 2000
    assert {len(id_) for id_ in ids} == {26}
    assert not set("".join(ids)) - set("0123456789abcdefghjkmnpqrstvwxyz")


def test_threads_never_get_the_same_id() -> None:
    world, given = RealWorld(), []
    threads = [threading.Thread(target=lambda: given.extend([world.new_id() for _ in range(2000)])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == 16_000


def test_an_id_sorts_by_its_time() -> None:
    top = (1 << 80) - 1
    assert encode_id(1, 0) > encode_id(0, top)
    assert encode_id(0, 0) == "0" * 26
    assert encode_id((1 << 48) - 1, top) == "7" + "z" * 25


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 6, 1, 12, 30, 0, 123_457, tzinfo=UTC),
    ],
)  # fmt: skip
def test_moments_keep_their_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment
    assert to_micros(moment + timedelta(0)) == to_micros(moment)
