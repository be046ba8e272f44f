"""Every error that engrain raises, in one tree. A class's docstring is its message, before the detail of the case where
the store failed, instead of a detail where the caller's input says all.

EngrainError
├── InvalidInput                  a value given by the caller was refused; nothing was changed
│   ├── InvalidContent            content that is empty, too long or not text
│   ├── InvalidField              any other field out of its range or of the wrong type
│   ├── UnknownKind               a kind that is not registered
│   ├── QuotaExceeded             more than the agent or its tenant may remember
│   ├── QueryRefused              SQL that is not one SELECT, or reaches for what is outside the archive
│   ├── ActionNotOffered          an action that was not among the options of the decision
│   ├── TranslationRefused        a template that cannot be said in another framework without changing what it says
│   └── InvalidPolicy             a policy that cannot be read, or not with this engrain
│       └── PolicyTooNew
├── NotFound                      a named thing does not exist in this scope
│   ├── UnknownItem
│   ├── UnknownDecision
│   ├── UnknownFix
│   ├── UnknownIssue
│   ├── UnknownPattern
│   ├── UnknownPolicy
│   └── UnknownSignature
├── Changed                       somebody else was quicker; nothing was written
├── PolicyRefused                 the gate does not let it advise; what was live still is
├── ConfigError                   a setting that cannot be understood
├── EmbedderError                 the embedder that was chosen could not do its work
├── ArchiveError                  the cold archive could not do its work; nothing was lost
│   ├── ArchiveUnavailable        cannot be reached, or is not this home's
│   ├── ArchiveConflict           somebody else changed it at the same moment
│   ├── ArchiveCorrupt            what was read back is not what was written
│   └── QueryLimit                a query needed more time or memory than it may
├── DreamError                    a dream could not do its work; what was live still is
│   ├── DreamBusy                 another process dreams
│   └── DreamFailed               it failed for some of the task types; its report says why
├── ServiceError                  the service did not do what was asked; its answer says why
│   └── AccessDenied              the key is missing, no good, or not for this
└── StoreError                    the store could not do its work
    ├── StoreUnavailable          cannot be reached or opened
    ├── StoreReadOnly             may not be written
    ├── StoreFull                 no room left
    ├── StoreBusy                 another process held the lock for too long
    ├── LeaseLost                 the work was taken over by another process
    ├── StoreCorrupt              the file is damaged
    ├── SchemaTooNew              written by a newer engrain
    ├── MigrationError            a migration file or its record is wrong
    └── StoreClosed               used after close()
"""

from __future__ import annotations


class EngrainError(Exception):
    """engrain could not do what was asked."""

    leads = True  # whether the docstring stands before the detail

    def __init__(self, detail: str = "") -> None:
        summary = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(" ".join(part for part in (summary if self.leads or not detail else "", detail) if part))
        self.detail = detail

    def __reduce__(self) -> tuple[type[EngrainError], tuple[str]]:
        return type(self), (self.detail,)  # through a process pool the docstring must not be put before itself


class InvalidInput(EngrainError):
    """A value was refused and nothing was changed."""

    leads = False


class InvalidContent(InvalidInput):
    """The content cannot be remembered."""


class InvalidField(InvalidInput):
    """A field is out of its range or of the wrong type."""


class UnknownKind(InvalidInput):
    """The kind of memory is not known."""


class QuotaExceeded(InvalidInput):
    """The agent or its tenant may not remember that much."""


class QueryRefused(InvalidInput):
    """The SQL may not be run."""


class ActionNotOffered(InvalidInput):
    """The action was not among the options of the decision."""


class TranslationRefused(InvalidInput):
    """The template cannot be translated."""


class InvalidPolicy(InvalidInput):
    """The policy cannot be read."""


class PolicyTooNew(InvalidPolicy):
    """The policy was written by a newer engrain."""


class NotFound(EngrainError):
    """There is no such thing in this agent's scope."""

    leads = False


class UnknownItem(NotFound):
    """There is no such memory in this agent's scope."""


class UnknownDecision(NotFound):
    """There is no such decision in this agent's scope."""


class UnknownFix(NotFound):
    """There is no such fix in this agent's scope."""


class UnknownIssue(NotFound):
    """There is no such issue in this agent's scope."""


class UnknownPolicy(NotFound):
    """There is no such policy."""


class UnknownSignature(NotFound):
    """There is no such signature of a problem."""


class UnknownPattern(NotFound):
    """There is no such pattern in this agent's scope."""


class Changed(EngrainError):
    """Somebody else changed it meanwhile, and nothing was written."""


class PolicyRefused(EngrainError):
    """The policy may not advise."""


class ConfigError(EngrainError):
    """A setting cannot be understood."""

    leads = False


class EmbedderError(EngrainError):
    """The embedder could not turn text into vectors; nothing stands in for it."""


class ArchiveError(EngrainError):
    """The cold archive could not do its work."""


class ArchiveUnavailable(ArchiveError):
    """The archive cannot be reached."""


class ArchiveConflict(ArchiveError):
    """Another process changed the archive at the same moment; nothing of this was done, try again."""


class ArchiveCorrupt(ArchiveError):
    """The archive is damaged."""


class QueryLimit(ArchiveError):
    """The query was ended."""


class DreamError(EngrainError):
    """The dream could not do its work."""


class DreamBusy(DreamError):
    """Another process dreams; what was asked for waits its turn."""


class DreamFailed(DreamError):
    """The dream failed for some of the task types; what was live still is."""


class ServiceError(EngrainError):
    """The service did not do what was asked."""

    leads = False


class AccessDenied(ServiceError):
    """The key is missing, no good, or not for this."""


class StoreError(EngrainError):
    """The store could not do its work."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or opened."""


class StoreReadOnly(StoreError):
    """The store may not be written."""


class StoreFull(StoreError):
    """There is no room left for the store; what was acknowledged before is safe, this write was not made."""


class StoreBusy(StoreError):
    """Another process held the store's write lock for too long; this write was not made, try again."""


class LeaseLost(StoreError):
    """The work was taken over by another process, as nothing was heard of this one; this write was not made."""


class StoreCorrupt(StoreError):
    """A store's file is damaged."""


class SchemaTooNew(StoreError):
    """The store was written by a newer engrain; upgrade engrain to open it."""


class MigrationError(StoreError):
    """The schema could not be brought to the version that this engrain needs."""


class StoreClosed(StoreError):
    """The memory was closed; open it again with engrain.open()."""
