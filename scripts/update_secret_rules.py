"""Bring the borrowed rules of `src/engrain/intake/secrets.json` up to date with an installed bc-detect-secrets.

    pip install --target /some/folder bc-detect-secrets
    PYTHONPATH=/some/folder python scripts/update_secret_rules.py

Only the rules whose origin is "bc-detect-secrets" are rewritten. Our own are kept as they are: edit those by hand,
from the format that the issuer of the token publishes. Run `pytest tests/unit/test_redact.py` afterwards.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

ORIGIN = "bc-detect-secrets"
TARGET = Path(__file__).parents[1] / "src/engrain/intake/secrets.json"

# Plugin module, class, indexes of the patterns taken, our rule id, keywords (lower case; every match contains one) and
# fields of ours. Not taken: plugins whose patterns are too wide for prose (high entropy, IP addresses, 88 base64
# characters, the heuristics for source files), match a mere header (private keys) or take quadratic time (JWT, npm).
TAKEN: list[tuple[str, str, list[int], str, list[str], dict[str, Any]]] = [
    ("aws", "AWSKeyDetector", [0], "aws-access-key", ["a3t", "abia", "acca", "akia", "asia"], {"run": True}),
    ("aws", "AWSKeyDetector", [1], "aws-secret-key", ["aws"], {"digits": 2, "entropy": 3.8}),
    (
        "github_token",
        "GitHubTokenDetector",
        [0],
        "github-token",
        ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        {"group": 0, "run": True},
    ),
    ("slack", "SlackDetector", [0], "slack-token", ["xox"], {}),
    ("slack", "SlackDetector", [1], "slack-webhook", ["hooks.slack.com"], {"run": True}),
    ("stripe", "StripeDetector", [0], "stripe-key", ["k_live_"], {"run": True}),
    ("sendgrid", "SendGridDetector", [0], "sendgrid-key", ["sg."], {"run": True}),
    ("twilio", "TwilioKeyDetector", [0, 1], "twilio-key", ["ac", "sk"], {"digits": 4, "entropy": 3.0, "run": True}),
    ("mailchimp", "MailchimpDetector", [0], "mailchimp-key", ["-us"], {"digits": 4, "entropy": 3.0, "run": True}),
    ("discord", "DiscordBotTokenDetector", [0], "discord-token", ["."], {"digits": 3, "entropy": 4.0, "run": True}),
    ("square_oauth", "SquareOAuthDetector", [0], "square-secret", ["sq0csp-"], {"run": True}),
    ("cloudant", "CloudantDetector", [0, 1, 2, 3], "cloudant-key", ["cloudant"], {"entropy": 3.0}),
    ("softlayer", "SoftlayerDetector", [0, 1], "softlayer-key", ["softlayer"], {"digits": 4, "entropy": 3.0}),
    ("ibm_cos_hmac", "IbmCosHmacDetector", [0], "ibm-cos-key", ["secret"], {"digits": 4, "entropy": 3.0}),
    ("ibm_cloud_iam", "IbmCloudIamDetector", [0], "ibm-cloud-key", ["ibm", "iam"], {"digits": 3, "entropy": 3.8}),
]


def bounded(regex: str) -> str:
    """Bound the runs of spaces around "=": unbounded neighbours share them out in cubic time on a line of spaces."""
    return regex.replace("(?: *)", "(?: {0,3})").replace("| +|", "| {1,3}|")


def borrowed() -> list[dict[str, Any]]:
    """The taken patterns as rules; the secret is the first group of a pattern unless the table says otherwise."""
    rules: list[dict[str, Any]] = []
    for module, name, indexes, rule_id, keywords, fields in TAKEN:
        plugin = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)
        if len(plugin.denylist) != sum(len(row[2]) for row in TAKEN if row[1] == name):
            raise SystemExit(f"{name}: the number of patterns has changed; decide about the new ones in TAKEN")
        for pattern in (plugin.denylist[index] for index in indexes):
            # VERBOSE only matters to a pattern with spaces or comments; a pattern that has them must be looked at.
            if pattern.flags & re.VERBOSE and re.search(r"[\s#]", pattern.pattern):
                raise SystemExit(f"{name}: a verbose pattern cannot be taken over as it is: {pattern.pattern}")
            regex = ("(?i)" if pattern.flags & re.IGNORECASE else "") + bounded(pattern.pattern)
            group = {"group": 1} if re.compile(regex).groups else {}
            extra = {key: value for key, value in (group | fields).items() if value}
            rules.append({"id": rule_id, "regex": regex, "keywords": keywords, "origin": ORIGIN, **extra})
    return rules


def main() -> None:
    data = json.loads(TARGET.read_text(encoding="utf-8"))
    own = [rule for rule in data["rules"] if rule["origin"] != ORIGIN]
    exact = [rule for rule in own if not rule.get("loose")]
    taken = borrowed()
    data["rules"] = exact + taken + [rule for rule in own if rule.get("loose")]  # the first of overlapping rules names
    data["source"] = {
        "name": ORIGIN,
        "version": version(ORIGIN),
        "licence": "Apache-2.0",
        "home": "https://github.com/bridgecrewio/detect-secrets",
    }
    rows = ",\n".join("  " + json.dumps(rule, ensure_ascii=False) for rule in data.pop("rules"))
    head = "".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in data.items())
    TARGET.write_text(f'{{\n{head} "rules": [\n{rows}\n ]\n}}\n', encoding="utf-8")
    print(f"{TARGET.name}: {len(own)} rules of ours, {len(taken)} of {ORIGIN} {version(ORIGIN)}")


if __name__ == "__main__":
    main()
