"""Reads pytest's JUnit report: how many tests passed and failed, and which were left out and why."""

from dataclasses import dataclass
from xml.etree import ElementTree


@dataclass(frozen=True)
class Report:
    passed: int = 0
    failed: int = 0
    left_out: tuple[str, ...] = ()

    def __add__(self, other: "Report") -> "Report":
        return Report(self.passed + other.passed, self.failed + other.failed, self.left_out + other.left_out)


def read_report(path: str) -> Report:
    """Raises FileNotFoundError where pytest died before it could write one."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    skipped = [(case, skip) for case in cases if (skip := case.find("skipped")) is not None]
    # A test that is expected to fail was not left out: it ran.
    left_out = tuple(told(case, skip) for case, skip in skipped if skip.get("type") != "pytest.xfail")
    return Report(len(cases) - failed - len(skipped), failed, left_out)


def told(case: ElementTree.Element, skip: ElementTree.Element) -> str:
    return f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}"
