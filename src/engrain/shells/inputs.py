"""The inputs that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence

from engrain.model.decision import EVIDENCE
from engrain.model.item import VISIBILITIES
from engrain.shells.fields import Field

ID = Field("id", "text", "The id of a memory.", positional=True)
KIND = Field("kind", "kind", "The kind of memory.", positional=True)
KEY = Field("key", "text", "The key it was remembered under.", positional=True)
TASK = Field("task_type", "text", "What kind of task it is, e.g. test-generation.", positional=True)
STATE = Field("state", "object", "What is known of the task: names to numbers, truths or words.", None)
LIMIT = Field("limit", "integer", "At most so many.", 100)
OF_KIND = Field("kind", "kind", "Only this kind.", None)
OF_TASK = Field("task_type", "text", "Only this task type.", None)
EPISODE = Field("episode", "text", "The run of steps that this one belongs to.", None)
ITEM = (
    Field("content", "text", "What to keep: text up to 1 MiB.", positional=True, stdin=True),
    Field("kind", "kind", "What kind of thing it is.", "context"),
    Field("key", "text", "A name: what is remembered later under the same kind and key replaces it.", None),
    Field("importance", "number", "1 (trifle) to 10 (vital).", 5.0),
    Field("tags", "words", "Words to filter by.", (), option="--tag"),
    Field("metadata", "object", "Anything else, kept as it is: a JSON object.", None),
    Field("session", "text", "The conversation or run it comes from.", None),
    Field("role", "text", "Who said it: user, assistant, tool or a name.", None),
    Field("occurred_at", "time", "When it happened, if not now.", None),
    Field("expires_in", "text", "How long it stays, e.g. 30d or 12h.", None),
    Field("decay_rate", "number", "How fast it fades, 0 to 10.", None),
    Field("visibility", "choice", "Who else may see it.", "private", VISIBILITIES),
    Field("pinned", "flag", "Whether it is kept from fading.", False),
    Field("source", "text", "Where it comes from.", None),
)
OUTCOME = (
    Field("success", "flag", "Did it work? Left out: not known yet.", None, option="--success/--failure"),
    Field("evidence", "choice", "How well that is known: said, run, or checked independently.", "claimed", EVIDENCE),
    Field("seconds", "number", "How long it took.", None),
    Field("budget_seconds", "number", "How long it might have taken.", None),
    Field("quality", "number", "How good it was, 0 to 1.", None),
    Field("resources", "number", "What share of its resources it used, 0 to 1.", None),
    Field("feedback", "number", "What somebody thought of it, -1 to 1.", None),
    Field("error", "text", "What went wrong.", None),
    Field("reward", "number", "An explicit reward, -2 to 2, in place of the parts.", None),
    Field("weights", "object", "How much a part counts where that is not as usual, e.g. quality to 2.", None),
)
STEP = (
    TASK,
    Field("action", "text", "The action that was taken.", positional=True),
    STATE,
    Field("next_state", "object", "What the task was like afterwards.", None),
    Field("propensity", "number", "How likely that action was when it was chosen, 0 to 1.", None),
    EPISODE,
    Field("task_id", "text", "An id of the caller's own.", None),
    *OUTCOME,
)
QUESTION = (
    Field("query", "text", "The question, in plain words.", positional=True, stdin=True),
    Field("limit", "integer", "At most so many.", 10),
    Field("kinds", "kinds", "Only these kinds.", None, option="--kind"),
    Field("tags", "words", "Only what has all of these tags.", None, option="--tag"),
    Field("session", "text", "Only this session.", None),
    Field("since", "time", "Only what happened then or later.", None),
    Field("until", "time", "Only what happened before.", None),
    Field("min_score", "number", "Nothing below this score, 0 to 1.", None),
)
NAMESPACE = Field("namespace", "text", "Which set of keys.", "default")
KV_KEY = Field("key", "text", "The key.", positional=True)
COMMON = (
    Field("home", "text", "The folder of the memory, or a server's URL (ENGRAIN_HOME).", ".engrain"),
    Field("agent", "text", "Whose memory it is (ENGRAIN_AGENT).", "default"),
    Field("tenant", "text", "The tenant of the agent (ENGRAIN_TENANT).", "default"),
    Field("team", "text", "The team that the agent joins.", None),
    Field("json", "flag", "Answer in JSON, for programs.", None, option="--json"),
)


def common(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The options that a command has beside its own."""
    own = {field.name for field in fields}
    return tuple(field for field in COMMON if field.name not in own)
