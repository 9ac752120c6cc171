"""Look up the releases of requirements.lock in PyPI's list of known vulnerabilities. Exit code 1: one has such.

If the list cannot be reached, one line says so, and the exit code is 0: that says nothing about the releases.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not concern pix2mask, and why: {"PYSEC-2026-1": "only its server is affected, not used"}."""

NO_NETWORK = r"requests\.exceptions|ServiceError|network may be blocking"


def judge(code: int, output: str, errors: str) -> tuple[int, list[str]]:
    """The exit code and the lines to print, by the exit code and the output of pip-audit."""
    if not output.strip():
        last = (errors.strip().splitlines() or ["no output"])[-1]
        if re.search(NO_NETWORK, errors):
            return 0, [f"audit: left out, PyPI's list of vulnerabilities cannot be reached ({last})"]
        return 1, [f"audit: pip-audit ended with code {code}: {last}"]
    packages = json.loads(output)["dependencies"]
    wrong = []
    for package in packages:
        for entry in package.get("vulns", []):
            if ACCEPTED.keys().isdisjoint({entry["id"], *entry.get("aliases", [])}):
                cure = f"corrected in {', '.join(entry['fix_versions']) or 'no release yet'}"
                wrong.append(f"audit: {package['name']} {package['version']}: {entry['id']}, {cure}")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        return 0, ["audit: left out, what answers in PyPI's place lists no vulnerabilities of any package"]
    lines = [f"audit: {len(packages) - len(unknown)} releases looked up, {len(wrong)} vulnerabilities"]
    if unknown:
        lines.append(f"audit: not on PyPI and not looked up: {', '.join(unknown)}")
    return int(bool(wrong)), [*wrong, *lines]


def main() -> int:
    lock = Path(__file__).parent.parent / "requirements.lock"
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "pypi", "--format", "json", "--no-deps"]
    command += ["--disable-pip", "--progress-spinner", "off", "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True)
    code, lines = judge(done.returncode, done.stdout, done.stderr)
    print(*lines, sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
