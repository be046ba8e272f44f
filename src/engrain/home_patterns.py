"""The pattern bank of a home, wired when first needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engrain.store.port import Store
from engrain.world import World

if TYPE_CHECKING:
    from engrain.intake.signals import Signals
    from engrain.intake.writer import Indexer
    from engrain.model.scope import Scope
    from engrain.patterns.bank import Bank
    from engrain.patterns.search import Search
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

    @cached_property
    def bank(self) -> Bank:
        """The patterns of a home."""
        from engrain.learn.reward import TIERS
        from engrain.learn.state import checked_state
        from engrain.patterns.bank import Bank
        from engrain.patterns.room import Room
        from engrain.patterns.shown import Shown

        shown = Shown(self.store, self.signals.later)
        self.signals.also.append(shown.flush)

        def index(texts: Sequence[str]) -> Sequence[Sequence[tuple[Any, ...]]]:
            return self.index(texts)  # loaded when something is to be indexed

        room = Room(self.store, self.world, index, TIERS, checked_state)

        def words(text: str) -> frozenset[int]:
            from engrain.recall.loose import words_of

            return words_of(text)

        def search() -> Search:
            from engrain.patterns.search import Search
            from engrain.recall.loose import loose, repeats_down

            return Search(room, lambda: loose(lambda: self.embedder), repeats_down, lambda: self.world.rng, json.loads)

        return Bank(room, search, words, shown)

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
