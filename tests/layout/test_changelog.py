"""The changelog keeps up with the version."""

import re

import runward

from .sources import CHECKOUT


def test_the_changelog_begins_with_what_is_unreleased_and_has_a_section_for_the_version() -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[?([^\]\s]+)\]?", text, flags=re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert runward.__version__ in sections
