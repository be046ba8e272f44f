"""The parts of a home that know issues and fixes, each made when first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from engrain.config import Config
from engrain.store.port import Store
from engrain.world import World

if TYPE_CHECKING:
    from engrain.fixes.book import Books
    from engrain.fixes.edits import Edits
    from engrain.fixes.exchange import FixExchange
    from engrain.fixes.knowledge import Knowledge
    from engrain.fixes.listing import Listing
    from engrain.fixes.lookup import Lookup
    from engrain.fixes.retention import Retention
    from engrain.fixes.writer import FixWriter
    from engrain.intake.writer import Indexer
    from engrain.recall.embed import Embedder
    from engrain.recall.loose import Loose


class FixParts:
    """Wired over the store of a home, which is one of these."""

    store: Store
    world: World
    config: Config

    if TYPE_CHECKING:

        @property
        def embedder(self) -> Embedder: ...
        @property
        def index(self) -> Indexer: ...

    @cached_property
    def issue_books(self) -> Books:
        """What each scope sees of issues."""
        from engrain.fixes.book import Books

        return Books(self.store, self._texts)

    def _texts(self) -> Loose:
        from engrain.recall.loose import Loose

        return Loose(self.embedder)

    @cached_property
    def fix_writer(self) -> FixWriter:
        from engrain.fixes.writer import FixWriter

        return FixWriter(self.store, self.world, self.issue_books, self.index)

    @cached_property
    def fix_knowledge(self) -> Knowledge:
        from engrain.fixes.knowledge import Knowledge

        return Knowledge(self.store, self.world)

    @cached_property
    def fix_lookup(self) -> Lookup:
        from engrain.fixes.lookup import Lookup

        return Lookup(self.issue_books, self.fix_knowledge)

    @cached_property
    def fix_listing(self) -> Listing:
        """Fixes, issues and targets in lists, in sums and in reports."""
        from engrain.fixes.listing import Listing

        return Listing(self.store, self.world, self.issue_books, self.fix_lookup)

    @cached_property
    def fix_exchange(self) -> FixExchange:
        from engrain.fixes.exchange import FixExchange

        return FixExchange(self.store, self.world, self.issue_books, self.fix_writer)

    @cached_property
    def fix_retention(self) -> Retention:
        from engrain.fixes.retention import Retention

        return Retention(self.store, self.world, self.config.fix_days, self.config.verified_fix_days)

    @cached_property
    def issue_edits(self) -> Edits:
        from engrain.fixes.edits import Edits

        return Edits(self.store, self.world, self.issue_books)
