"""The dashboard asks for series that there are; so does its documentation tell of all of them."""

import json
import re

from runward.http.metrics import FAMILIES

from ..layout.sources import CHECKOUT

DASHBOARD = json.loads((CHECKOUT / "config" / "grafana.json").read_text())
DOCUMENT = (CHECKOUT / "docs" / "metrics.md").read_text()


def named(text: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"runward_\w+", text)}


def test_the_dashboard_asks_for_series_that_there_are() -> None:
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert len(asked) > 20
    assert set().union(*map(named, asked)) <= set(FAMILIES)


def test_no_panel_lies_on_another() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)


def test_the_documentation_names_every_family_and_no_other() -> None:
    assert named(DOCUMENT) == set(FAMILIES)
