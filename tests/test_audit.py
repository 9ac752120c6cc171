"""`make audit`: a known vulnerability stops CI, a network that cannot be reached does not."""

import importlib.util
import json

import pytest

from tests.helpers import ROOT

spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

SOUND = {"name": "torch", "version": "2.14.0", "vulns": []}
WRONG = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"]}
UNKNOWN = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


def report(*packages: dict) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_sound_releases_pass_and_are_counted():
    assert audit.judge(0, report(SOUND), "") == (0, ["audit: 1 releases looked up, 0 vulnerabilities"])


def test_a_vulnerability_fails_and_names_the_release_that_corrects_it():
    code, lines = audit.judge(1, report(SOUND, {"name": "requests", "version": "2.0", "vulns": [WRONG]}), "")
    assert code == 1
    assert lines[0] == "audit: requests 2.0: PYSEC-1, corrected in 2.1"


@pytest.mark.parametrize("number", ["PYSEC-1", "CVE-1"])
def test_an_exception_is_accepted_by_any_of_its_numbers(monkeypatch, number):
    monkeypatch.setitem(audit.ACCEPTED, number, "that part is not used")
    assert audit.judge(1, report({"name": "requests", "version": "2.0", "vulns": [WRONG]}), "")[0] == 0


@pytest.mark.parametrize(
    "errors",
    ["Traceback ...\nrequests.exceptions.ConnectionError: Failed to resolve", "ERROR: network may be blocking this"],
)
def test_no_network_is_one_line_and_no_failure(errors):
    code, lines = audit.judge(1, "", errors)
    assert (code, len(lines)) == (0, 1)
    assert "left out" in lines[0]


def test_a_mirror_without_vulnerabilities_is_not_taken_for_sound_releases():
    code, lines = audit.judge(0, report(UNKNOWN), "")
    assert code == 0
    assert "left out" in lines[0]


def test_packages_that_were_not_looked_up_are_named():
    assert "own" in audit.judge(0, report(SOUND, UNKNOWN), "")[1][-1]


def test_any_other_failure_of_pip_audit_fails():
    assert audit.judge(1, "", "ERROR: requirement own is not pinned")[0] == 1


def test_ci_runs_the_audit():
    assert "\nmake audit\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
