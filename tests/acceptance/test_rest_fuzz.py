"""The service against its own document: whatever fits it, or nearly, gets an answer that the document knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Place
from tests.service import serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_request_is_a_fault_of_ours_and_no_status_is_undocumented(place: Place, tmp_path: Path) -> None:
    with place.open() as memory:
        key = memory.keys_create("fuzz", "*", rights="admin").key
    tool = str(Path(sys.executable).with_name("schemathesis"))
    with serving(place) as service:
        line = [tool, "run", f"{service.url}/openapi.json", "-H", f"Authorization: Bearer {key}", "--checks", CHECKS]
        line += ["-n", "20", "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"]
        line += ["--exclude-path", "/v1/keys/revoke"]  # it would learn the id of its own key, and lock itself out
        line += ["--exclude-path", "/v1/events", "--seed", "1", "--continue-on-failure", "--request-timeout", "20"]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "Authentication failed" not in done.stdout, "what was to be tested was never reached"
    assert int(re.findall(r"(\d+) generated, \d+ passed", done.stdout)[0]) > 1000
