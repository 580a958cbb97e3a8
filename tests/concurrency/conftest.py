"""A race that fails prints its story and nothing else: no trace through the threads, no log of every round."""

from collections.abc import Generator

import pytest

from tests.concurrency.interleaving import RaceFailed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, RaceFailed):
        report.longrepr = str(call.excinfo.value)
        report.sections.clear()
    return report
