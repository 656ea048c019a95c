"""A plugin of pytest that writes down how each test ended, and leaves out those that passed before.

CI_OUTCOMES names the file that is written: {"outcomes": {test: "passed", "failed" or "skipped"}, "skips":
[[test or file, reason], ...]}. CI_PASSED names such a file of a run before: what passed in it does not run.
"""

from __future__ import annotations

import json
import os

OUTCOMES: dict[str, str] = {}
SKIPS: set[tuple[str, str]] = set()


def pytest_collection_modifyitems(config, items):
    if "CI_PASSED" not in os.environ:
        return
    with open(os.environ["CI_PASSED"], encoding="utf-8") as file:
        before = json.load(file)["outcomes"]
    again = [item for item in items if before.get(item.nodeid) == "passed"]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if before.get(item.nodeid) != "passed"]


def reason_of(report) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").replace("\n", " ")


def pytest_collectreport(report):
    if report.skipped:
        SKIPS.add((report.nodeid, reason_of(report)))


def pytest_runtest_logreport(report):
    """A test is what its worst part is: set-up, call and tear-down are reported one by one."""
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPS.add((report.nodeid, reason_of(report)))
        OUTCOMES[report.nodeid] = "skipped"
    elif report.failed:
        OUTCOMES[report.nodeid] = "failed"
    else:
        OUTCOMES.setdefault(report.nodeid, "passed")


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput") or "CI_OUTCOMES" not in os.environ:
        return  # a process of xdist: the first one has the reports of all
    with open(os.environ["CI_OUTCOMES"], "w", encoding="utf-8") as file:
        json.dump({"outcomes": OUTCOMES, "skips": sorted(SKIPS)}, file)
