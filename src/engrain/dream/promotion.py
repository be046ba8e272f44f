"""The gate once more, for a version that did not pass or waits: nobody is let advise without it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from engrain.dream.parts import Parts
from engrain.errors import PolicyRefused
from engrain.learn.policies import Policies
from engrain.model.policy import PolicyInfo
from engrain.model.report import counted
from engrain.store.port import Store
from engrain.world import to_micros


def promote(
    store: Store, policies: Policies, made: Callable[[], Parts], tenant: str, task_type: str, version: int, actor: str
) -> PolicyInfo:
    """Judge a version on what was decided since it was made, or since what an imported one was trained on, and let it
    advise when its lower bound beats what is live: nothing of that can have been in its data. The verdict is kept
    either way. Raises UnknownPolicy; PolicyRefused with the reason; InvalidPolicy, ArchiveError."""
    info, rule = policies.find(tenant, task_type, version)
    if info.state == "live":
        return info
    parts = made()
    log = parts.experiences().log(tenant, task_type, info.agent, since=_since(info))
    live = policies.live(tenant, task_type, info.agent)
    verdict = parts.judge_fixed(log, rule, live.rule, discount=info.discount, seed=info.seed)
    where = (tenant, task_type, version)
    with store.transaction(tenant) as tx:
        if policies.version(tenant, task_type, info.agent, at=tx) != live.version:
            raise PolicyRefused("What is live was changed while it was judged. Ask again.")
        policies.judge(tx, *where, verdict, actor)
        if verdict.passed:
            policies.promote(tx, *where, verdict.reason, actor)
    if not verdict.passed:
        since = "it was made" if info.dream else "what it was trained on"
        raise PolicyRefused(f"Judged by {counted(len(log), 'outcome')} since {since}: {verdict.reason}")
    return policies.info(*where)


def _since(info: PolicyInfo) -> int:
    """From when on nothing can have been in its data (µs). What an import was trained on, its file says."""
    ends = None if info.dream else info.data.get("to")
    return (to_micros(datetime.fromisoformat(ends)) if ends else to_micros(info.made_at)) + 1
