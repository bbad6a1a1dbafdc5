"""What `/metrics` says, read by Prometheus' own parser."""

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from .client import Client


class Figures:
    """The samples of one answer."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def of(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        return sum(sample.value for sample in self._matching(name, labels))

    def has(self, name: str, **labels: str) -> bool:
        """Whether there is such a sample."""
        return any(self._matching(name, labels))

    def _matching(self, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample


def figures(client: Client) -> Figures:
    """As they are now."""
    answer = client.ask("GET", "/metrics")
    assert answer.status == 200, answer.body
    return Figures(answer.body.decode())
