"""``make audit``: asks for known vulnerabilities of every installed package, by ``pip-audit``.

A vulnerability fails it. If nobody could be asked, it says so loudly and does not fail: a check must not depend on
somebody else's server.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_COMMAND = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "20")
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known about the packages; ``vulnerable`` and ``unknown`` are lines to print."""

    asked: int
    vulnerable: Sequence[str]
    unknown: Sequence[str]

    def lines(self) -> list[str]:
        lines = list(self.vulnerable)
        if self.asked and not self.vulnerable:
            lines.append(f"{self.asked} packages have no known vulnerability.")
        if self.unknown:
            rule = "!" * 100
            more = [f"and {len(self.unknown) - _MOST_SHOWN} more"] if len(self.unknown) > _MOST_SHOWN else []
            lines += [rule, f"NOT AUDITED: {len(self.unknown)}", *self.unknown[:_MOST_SHOWN], *more, rule]
        return lines


def verdict_of(output: str, *, complaint: str) -> Verdict:
    """Read what ``pip-audit`` printed; without a report, ``complaint`` says why."""
    try:
        packages: Sequence[Mapping[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = complaint.strip().splitlines()[-1:] or ["pip-audit printed no report"]
        return Verdict(asked=0, vulnerable=[], unknown=[f"all packages: {last[0]}"])
    return Verdict(
        asked=sum("skip_reason" not in package for package in packages),
        vulnerable=[
            f"{package['name']} {package['version']}: {found['id']}, "
            f"{'mended in ' + ', '.join(found['fix_versions']) if found['fix_versions'] else 'not mended yet'}"
            for package in packages
            for found in package.get("vulns", ())
        ],
        unknown=[f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package],
    )


def main() -> int:
    done = subprocess.run(_COMMAND, capture_output=True, text=True, check=False)  # noqa: S603 — our own command
    verdict = verdict_of(done.stdout, complaint=done.stderr)
    sys.stdout.write("\n".join(verdict.lines()) + "\n")
    return 1 if verdict.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
