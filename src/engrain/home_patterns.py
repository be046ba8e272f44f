"""The pattern bank of a home, wired when first needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engrain.store.port import Store
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.experiences import ColdExperiences
    from engrain.fixes.book import Books
    from engrain.intake.signals import Signals
    from engrain.intake.writer import Indexer
    from engrain.model.scope import Scope
    from engrain.patterns.bank import Bank
    from engrain.patterns.consolidate import Consolidator
    from engrain.patterns.finder import Finder
    from engrain.patterns.room import Room
    from engrain.patterns.search import Search
    from engrain.patterns.trajectories import Trajectories
    from engrain.recall.embed import Embedder


class PatternParts:
    """Wired over the store of a home, which is one of these."""

    store: Store
    world: World
    signals: Signals

    if TYPE_CHECKING:

        @property
        def embedder(self) -> Embedder: ...

        @property
        def index(self) -> Indexer: ...

        @property
        def past(self) -> ColdExperiences: ...

        @property
        def issue_books(self) -> Books: ...

    @cached_property
    def pattern_room(self) -> Room:
        """What every part of the pattern bank works with."""
        from engrain.learn.reward import TIERS
        from engrain.learn.state import checked_state
        from engrain.patterns.room import Room

        def index(texts: Sequence[str]) -> Sequence[Sequence[tuple[Any, ...]]]:
            return self.index(texts)  # loaded when something is to be indexed

        return Room(self.store, self.world, index, TIERS, checked_state)

    @cached_property
    def bank(self) -> Bank:
        """The patterns of a home."""
        from engrain.patterns.bank import Bank
        from engrain.patterns.shown import Shown

        shown = Shown(self.store, self.signals.later)
        self.signals.also.append(shown.flush)

        room = self.pattern_room

        def words(text: str) -> frozenset[int]:
            from engrain.recall.loose import words_of

            return words_of(text)

        def search() -> Search:
            from engrain.patterns.search import Search
            from engrain.recall.loose import loose, repeats_down

            return Search(room, lambda: loose(lambda: self.embedder), repeats_down, lambda: self.world.rng, json.loads)

        return Bank(room, search, words, shown)

    @cached_property
    def trajectory_book(self) -> Trajectories:
        """The steps of tasks."""
        from engrain.fixes.plans import does_something
        from engrain.patterns.trajectories import Trajectories

        return Trajectories(self.pattern_room, does_something)

    @property
    def finder(self) -> Finder:
        """What looks for patterns in what was done; a new one each time, with counts of its own."""
        from engrain.fixes.masks import mask
        from engrain.fixes.plans import does_something
        from engrain.patterns.finder import Finder
        from engrain.version import __version__

        def past() -> ColdExperiences | None:
            return self.past if self.store.read("batch_closed", {"kind": "experiences"})[0]["number"] else None

        def issues(scope: Scope, raws: Sequence[str]) -> Mapping[str, str]:
            with self.issue_books.of(scope) as book:
                return {raw: book.resolve(raw) for raw in raws}

        return Finder(self.pattern_room, self.bank, past, issues, mask, does_something, __version__)

    @property
    def consolidator(self) -> Consolidator:
        """What brings patterns in order."""
        from engrain.patterns.consolidate import Consolidator

        return Consolidator(self.pattern_room, self.bank)

    def strategies(self, scope: Scope, query: str, max_tokens: int) -> tuple[str, int]:
        """(block of text, its tokens): strategies that proved themselves for a question, and warnings, in at most
        ``max_tokens``; ("", 0) when the bank has none. Costs one small read while it is empty."""
        if self.bank.empty(scope):
            return "", 0
        from engrain.patterns.brief import MOST, brief
        from engrain.patterns.search import Wanted
        from engrain.recall.context import count_tokens

        hits, confidence = self.bank.search.find(scope, query, Wanted(), MOST * 3)
        block, ids = brief(hits, confidence, max_tokens, count_tokens)
        self.bank.note_shown(scope, ids)
        return block, count_tokens(block) if block else 0
