"""Redaction: every rule finds its kind, ordinary text is left alone, twice is once, and hostile text takes no age.

The secrets here are made at run time from pieces, so that this file holds nothing that looks like one.
"""

from __future__ import annotations

import random
import re
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engrain.intake.redact import TOKEN_LENGTH, Rule, compiled, redact, redact_value, rule_set

LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
B64 = ALNUM + "+/"
URLSAFE = ALNUM + "_-"


def made(alphabet: str, length: int, seed: int = 7) -> str:
    """`length` characters of `alphabet`, four of them digits if it has any: as in real tokens."""
    rng = random.Random(f"{seed}{alphabet}{length}")
    digits = [c for c in alphabet if c.isdigit()][:4]
    body = [*digits, *rng.choices(alphabet, k=length)][:length]
    rng.shuffle(body)
    return "".join(body)


def pem(kind: str, end: bool = True) -> str:
    lines = "\n".join(made(B64, 64, seed) for seed in range(6))
    tail = f"\n-----END {kind} KEY-----" if end else ""
    return f"-----BEGIN {kind} KEY-----\n{lines}{tail}"


# (rule id, the secret, a text around it with {} where it stands)
SAMPLES: list[tuple[str, str, str]] = [
    ("private-key", pem("RSA PRI" + "VATE"), "my key is\n{}\nkeep it"),
    ("private-key", pem("PRI" + "VATE", end=False), "{}"),
    ("private-key", pem("OPENSSH PRI" + "VATE").replace("\n", "\\n"), '{{"key": "{}"}}'),
    ("putty-private-key", "\n".join(made(B64, 64, n) for n in range(3)) + "\n", "Private-Lines: 3\n{}Private-MAC: 0"),
    ("age-secret-key", "AGE-SECRET-" + "KEY-1" + made(UPPER, 58), "{}"),
    ("anthropic-key", "sk-" + "ant-api03-" + made(URLSAFE, 93) + "AA", "export KEY={}"),
    ("openrouter-key", "sk-" + "or-v1-" + made(HEX, 64), "use {} for it"),
    ("openai-key", "sk-" + "proj-" + made(URLSAFE, 120), "use {} for it"),
    ("openai-key", "sk-" + made(ALNUM, 20) + "T3Blbk" + "FJ" + made(ALNUM, 20), "({})"),
    ("huggingface-token", "hf" + "_" + made(string.ascii_letters, 34), "login {}"),
    ("groq-key", "gsk" + "_" + made(ALNUM, 52), "{}"),
    ("xai-key", "xai" + "-" + made(ALNUM, 80), "{}"),
    ("perplexity-key", "pplx" + "-" + made(ALNUM, 48), "{}"),
    ("replicate-token", "r8" + "_" + made(ALNUM, 37), "{}"),
    ("google-api-key", "AIza" + made(URLSAFE, 35), "?v=1&k={}"),
    ("google-oauth-secret", "GOC" + "SPX-" + made(URLSAFE, 28), "{}"),
    ("google-oauth-token", "ya29" + "." + made(URLSAFE, 60), "{}"),
    ("github-token", "gh" + "p_" + made(ALNUM, 36), "git clone with {} please"),
    ("github-token", "gh" + "s_" + made(ALNUM, 36), "{}"),
    ("github-token", "github" + "_pat_" + made(ALNUM, 22) + "_" + made(ALNUM, 59), "{}."),
    ("gitlab-token", "gl" + "pat-" + made(URLSAFE, 20), "PRIVATE {}"),
    ("gitlab-token", "GR13" + "48941" + made(URLSAFE, 20), "{}"),
    ("slack-token", "xox" + f"b-{made('123456789', 12)}-{made('123456789', 12)}-{made(ALNUM, 24)}", "bot {}"),
    ("slack-token", "xapp" + f"-1-A{made(UPPER, 10)}-{made('123456789', 13)}-{made(HEX, 64)}", "{}"),
    (
        "slack-webhook",
        "https://hooks.slack.com" + f"/services/T{made(UPPER, 8)}/B{made(UPPER, 8)}/{made(ALNUM, 24)}",
        "{}",
    ),
    ("stripe-key", "sk" + "_live_" + made(ALNUM, 24), "{}"),
    ("stripe-key", "rk" + "_test_" + made(ALNUM, 99), "{}"),
    ("stripe-webhook-secret", "wh" + "sec_" + made(ALNUM, 32), "{}"),
    ("npm-token", "npm" + "_" + made(ALNUM, 36), "{}"),
    ("npm-token", made(HEX, 36), "//registry.example.org/:_auth" + "Token={}"),
    ("pypi-token", "pypi-" + "AgEIcHlwaS5vcmc" + made(URLSAFE, 90), "{}"),
    ("docker-token", "dckr" + "_pat_" + made(URLSAFE, 27), "{}"),
    ("digitalocean-token", "dop" + "_v1_" + made(HEX, 64), "{}"),
    ("databricks-token", "dapi" + made(HEX, 32), "{}"),
    ("azure-storage-key", made(B64, 86) + "==", "AccountName=a;Account" + "Key={};Suffix=b"),
    ("azure-sas-signature", made(ALNUM, 43) + "%3D", "https://a.blob.example.org/c?sv=2024&sig={}"),
    ("artifactory-key", "AKC" + "p" + made(ALNUM, 69), "{}"),
    ("sentry-token", "sntrys" + "_" + made(B64, 90), "{}"),
    ("shopify-token", "shp" + "at_" + made(HEX, 32), "{}"),
    ("linear-key", "lin" + "_api_" + made(ALNUM, 40), "{}"),
    ("notion-token", "ntn" + "_" + made(ALNUM, 46), "{}"),
    ("atlassian-token", "ATA" + "TT3" + made(URLSAFE, 180), "{}"),
    ("postman-key", "PM" + "AK-" + made(HEX, 24) + "-" + made(HEX, 34), "{}"),
    ("supabase-key", "sb" + "p_" + made(HEX, 40), "{}"),
    ("vault-token", "hv" + "s." + made(URLSAFE, 90), "{}"),
    ("grafana-token", "gl" + "sa_" + made(ALNUM, 32) + "_" + made(HEX, 8), "{}"),
    ("new-relic-key", "NR" + "AK-" + made(UPPER, 27), "{}"),
    ("telegram-token", made("123456789", 10) + ":AA" + made(URLSAFE, 33), "bot {}"),
    ("jwt", "ey" + "J" + made(URLSAFE, 33) + ".eyJ" + made(URLSAFE, 70) + "." + made(URLSAFE, 43), "Cookie: s={};"),
    ("aws-access-key", "AK" + "IA" + made(UPPER, 16), "id {} end"),
    ("aws-secret-key", made(B64, 40), "my aws token of today: {} and"),
    ("sendgrid-key", "SG" + "." + made(URLSAFE, 22) + "." + made(URLSAFE, 43), "{}"),
    ("twilio-key", "S" + "K" + made(LOWER, 32), "{}"),
    ("mailchimp-key", made(LOWER, 32) + "-us12", "{}"),
    ("discord-token", "M" + made(ALNUM, 23) + "." + made(ALNUM, 6) + "." + made(ALNUM, 27), "{}"),
    ("square-secret", "sq0" + "csp-" + made(ALNUM, 43), "{}"),
    ("cloudant-key", made(HEX, 64), "https://acc:{}@acc.cloudant.com"),
    ("softlayer-key", made(LOWER, 64), "softlayer" + "_api_key={}"),
    ("ibm-cos-key", made(HEX, 48), "cos_hmac_secret" + "_access_key={}"),
    ("ibm-cloud-key", made(URLSAFE, 44), "ibm" + "_cloud_api_key={}"),
    ("url-password", "s3" + "cr:t!pw", "postgresql://app:{}@db.internal:5432/app"),
    ("url-password", "Tr0ub4dor", "redis://:{}@10.0.0.3/0"),
    ("bearer-token", made(ALNUM, 40), "Authorization: Bearer {}"),
    ("authorization-header", "dXNlcjpz" + "M2NyM3Q=", "Authorization: Basic {}"),
    ("curl-user", "s3cr" + "3tpw", "curl -s https://api.internal -u admin:{}"),
    ("password", "hunt" + "er2", 'password = "{}"'),
    ("password", "S0me" + "thing!", "DB_PASSWORD={}"),
    ("password", "hunt" + "er2", '{{"user": "bo", "password": "{}"}}'),
    ("password", "hunt" + "er2", 'password: str = "{}"'),
    ("password", "hunt" + "er2", "config[\"password\"] = '{}'"),
    ("password", "no.digits!" + "here", "passwd: '{}'"),
    ("password", "Gr33n" + "Tea7", "the wifi password is {}, tell nobody"),
    *[
        ("api-key", made(ALNUM, 32), around)
        for name in ("api_key", "auth_token", "clientSecret", "credentials")
        for around in (name + ": '{}'", name + "={}", "the " + name + " is {}, ok")
    ],
    ("api-key", made(HEX, 40), "X-Api-Key: {}"),
    ("api-key", made(HEX, 40), "https://api.internal/v1?access_token={}&page=2"),
    ("api-key", str(uuid.UUID(int=0x9F3B1C5D7E2A4860B1D3F5A7C9E0B2D4)), "CLIENT_SECRET={}"),
    ("api-key", made(ALNUM, 24), "your token is {}"),
    ("command-line-secret", "hunt" + "er22", "deploy --db-password {} --yes"),
]


@pytest.mark.parametrize(("rule", "secret", "around"), SAMPLES, ids=[f"{n}-{s[0]}" for n, s in enumerate(SAMPLES)])
def test_each_kind_of_secret_is_found_and_nothing_else_goes(rule: str, secret: str, around: str) -> None:
    found = redact(around.format(secret))
    assert found.rules == (rule,)
    assert found.text == around.format(f"[redacted:{rule}]")


def test_every_rule_has_a_sample() -> None:
    """A rule whose sample is caught by another rule is as good as missing: compare pattern by pattern."""
    texts = [around.format(secret) for _, secret, around in SAMPLES]
    untried = [rule.id for rule in rule_set().rules if not any(compiled(rule.regex).search(text) for text in texts)]
    # Cloudant and SoftLayer write the same key in four and two ways, of which one each is sampled.
    assert sorted(untried) == ["cloudant-key"] * 3 + ["softlayer-key", "twilio-key"]


@pytest.mark.parametrize("rule", rule_set().rules, ids=[f"{n}-{r.id}" for n, r in enumerate(rule_set().rules)])
def test_a_rule_is_well_formed(rule: Rule) -> None:
    pattern = compiled(rule.regex)
    assert 0 <= rule.group <= pattern.groups
    assert rule.keywords
    assert all(keyword == keyword.lower() for keyword in rule.keywords)
    assert re.fullmatch("[a-z0-9-]+", rule.id), "an id outside this alphabet would break the marker"
    assert rule.origin in {"engrain", "bc-detect-secrets"}
    for _, secret, around in SAMPLES:
        for match in pattern.finditer(around.format(secret)):
            assert any(keyword in match[0].lower() for keyword in rule.keywords), "the prefilter would hide this find"
            if rule.run:
                assert len(match[0]) >= TOKEN_LENGTH
                assert not re.search(r"\s", match[0])


ORDINARY = [
    "",
    "The password is required and must have at least 8 characters.",
    "I forgot my password again; the token expired, so I asked for a secret ingredient.",
    "commit 4f2a9d1c8b7e6f5a4d3c2b1a0f9e8d7c6b5a4f3e fixed it",
    "sha256:" + made(HEX, 64),
    "task-" + made(HEX, 32) + " failed, desk-2 waits",
    f"id {uuid.UUID(int=0x9F3B1C5D7E2A4860B1D3F5A7C9E0B2D4)} was not found",
    "data:image/png;base64," + made(B64, 4000),
    "password = getpass.getpass()",
    "password = hash_password_v2(raw)",
    "password=os.environ['DB_PASSWORD_2']",
    "password: ${DB_PASSWORD1}",
    'api_key="your-api-key-here-123"',
    "api_key = settings.openai_api_key_v2",
    "token = generate_access_token_v22(user)",
    "next: test_tokenizer_handles_2048_tokens, max_tokens=4096, tokens: 1234567890",
    "primary_key = made_from_column_17_and_18",
    "def set_password(self, password1: str, password2: str) -> None: ...",
    "see https://example.org:8443/a/b?c=d@e and git@github.com:user/repo.git",
    "postgres://user:password@localhost/db or https://<user>:<password>@host",
    "Bearer authentication is described in the handbook, bearer of good news",
    "-----BEGIN CERTIFICATE-----\n" + made(B64, 64) + "\n-----END CERTIFICATE-----",
    "ssh-ed25519 " + made(B64, 68) + " me@host",
    "[redacted:password] and password=[redacted:password]",
]


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_text_comes_back_as_the_same_object(text: str) -> None:
    found = redact(text)
    assert found.text is text
    assert found.rules == ()


WORDS = st.sampled_from([
    *(keyword for rule in rule_set().rules for keyword in rule.keywords), *(secret for _, secret, _ in SAMPLES),
    "PRIVATE", "Key", "=", ": ", "'", "İİ", "\u2003", "\x85", "a" * 19, "[redacted:jwt]", "password: hunter2!", "plain",
])  # fmt: skip


@given(st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=12), st.sampled_from(["", " ", "\n"]))
def test_what_is_known_to_be_harmless_never_hides_a_secret(words: list[str], between: str) -> None:
    text = between.join(words)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engrain.intake.redact.harmless", lambda _: False)
        slow = redact(text), redact_value({"key": text, text: "value"})
    assert (redact(text), redact_value({"key": text, text: "value"})) == slow
    assert (redact(text), redact_value({"key": text, text: "value"})) == slow, "the second time it is known"


def test_rules_are_reported_once_in_order_of_appearance() -> None:
    github, aws = (
        next(secret for rule, secret, _ in SAMPLES if rule == "github-token"),
        next(s for rule, s, _ in SAMPLES if rule == "aws-access-key"),
    )
    found = redact(f"{github} then {aws} then {github}")
    assert found.rules == ("github-token", "aws-access-key")


def test_the_exact_rule_names_a_secret_that_a_loose_one_sees_too() -> None:
    github = next(secret for rule, secret, _ in SAMPLES if rule == "github-token")
    assert redact(f'api_key="{github}"').text == 'api_key="[redacted:github-token]"'
    assert redact(f"https://bot:{github}@github.com/a/b").text == "https://bot:[redacted:github-token]@github.com/a/b"


FRAGMENTS = st.one_of(
    st.sampled_from([secret for _, secret, _ in SAMPLES]),
    st.sampled_from([around.format(secret) for _, secret, around in SAMPLES]),
    st.sampled_from(
        ["password=", "token: '", '"', "://a:", "@b", "eyJ", "sk-", "-----BEGIN ", "[redacted:", "]", " ", "\n"]
    ),
    st.text(max_size=20),
)


@given(st.lists(FRAGMENTS, max_size=8).map("".join))
def test_twice_is_once(text: str) -> None:
    once = redact(text)
    again = redact(once.text)
    assert again.text is once.text
    assert again.rules == ()
    assert bool(once.rules) == (once.text != text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FRAGMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FRAGMENTS, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_redacted_twice_is_redacted_once_and_keeps_its_shape(value: object) -> None:
    once, _ = redact_value(value)
    again, rules = redact_value(once)
    assert again is once
    assert rules == ()
    assert type(once) is type(value)
    if isinstance(value, dict | list):
        assert len(once) == len(value)  # type: ignore[arg-type]


def test_metadata_is_redacted_in_keys_values_and_by_key() -> None:
    github = next(secret for rule, secret, _ in SAMPLES if rule == "github-token")
    password = "hunt" + "er2"
    value = {
        "login": {"password": password, "user": "bo"},
        "notes": [github, 3, None],
        github: 1,
        "gh" + github[2:-1] + "0": 2,
    }
    clean, rules = redact_value(value)
    assert clean == {
        "login": {"password": "[redacted:password]", "user": "bo"},
        "notes": ["[redacted:github-token]", 3, None],
        "[redacted:github-token]": 1,
        "[redacted:github-token] (2)": 2,
    }
    assert rules == ("password", "github-token")
    harmless = {"password": "required", "n": [1, {"tokens": 5}]}
    assert redact_value(harmless) == (harmless, ())
    assert redact_value(harmless)[0] is harmless


PEM_HEAD = "-----BEGIN PRI" + "VATE KEY-----"
HOSTILE = [
    "a",
    "A1",
    "eyJ",
    "eyJa.",
    "sk-",
    "sk-a1",
    "sk-proj-",
    "://",
    "://a:",
    "://a:b",
    "password=",
    "password:'",
    "password='a1",
    'token="',
    "api_key=1",
    "key",
    "key ",
    "secret is ",
    "secret:",
    "password:pw",
    "password=example1",
    "password=1${",
    "password=....",
    "key is 1",
    "token=a1 token=",
    "bearer ",
    "curl ",
    "curl -u a",
    "--",
    "--a",
    "--token ",
    "aws",
    "aws key ",
    "aws pass token ",
    PEM_HEAD,
    PEM_HEAD + "a",
    "-----",
    "xoxb-1-",
    "xoxb-",
    "AKIA",
    "AC1",
    "M.a",
    "cloudant",
    "cloudant key  ",
    "ibm_",
    "ibm key ",
    "softlayer",
    " ",
    "\n",
    "\\",
    "\\n",
    "[redacted:",
    "[redacted:x]",
    "Private-Lines: 1\n",
    "gl" + "pat-",
    "gh" + "p_" + made(ALNUM, 36),
    "AK" + "IA" + made(UPPER, 16),
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("size", [1 << 17, pytest.param(1 << 20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("unit", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_no_age(unit: str, size: int) -> None:
    """Quadratic matching would take minutes to hours here; the time limit is wide enough for a busy machine."""
    prefix = "ibm cloudant password token eyJ "
    text = (prefix + unit * (size // len(unit)))[:size]
    once = redact(text)
    assert redact(once.text).text is once.text
