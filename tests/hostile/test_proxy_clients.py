"""Through the proxy the clients that people use reach a language model, in the open and over TLS, as they stand."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..support.language_model import LanguageModel, language_model
from ..support.server import Server, agent
from ..support.waiting import AT_LAST_S, until
from .houses import house, places_where

pytestmark = pytest.mark.slow  # an agent that imports OpenAI's client is a second on its way

WAYS = ("by_openai", "by_a_stream", "by_asyncio", "by_httpx")
REFUSED = "http://127.0.0.1:1/v1"


class Place(NamedTuple):
    server: Server
    models: tuple[LanguageModel, LanguageModel]  # in the open, and over TLS


@pytest.fixture(scope="module", params=places_where(lambda who, rung: (who, rung) == ("as_is", "pidns")))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    certificate, key = _certificate(tmp_path_factory.mktemp("certificate"))
    with language_model() as model, language_model((certificate, key)) as secure:
        reaching = {
            "network": "proxy",
            "allow_hosts": [model.address, secure.address],
            "env": {"SSL_CERT_FILE": str(certificate)},
            "paths": {"readable": [str(certificate)]},
        }
        agents = {name: agent("asking_a_model", name, **reaching) for name in ("ask", "wait")}
        with house(request.param, tmp_path_factory, {"agents": agents}) as server:
            yield Place(server, (model, secure))


def _certificate(folder: Path) -> tuple[Path, Path]:
    """One for 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=AT_LAST_S)
    for path in (folder, certificate):
        path.chmod(0o755)  # the agent may have a user of its own
    return certificate, key


@pytest.fixture(scope="module")
def answers(place: Place) -> Any:
    """What each client was answered, by URL."""
    urls = [*(model.url for model in place.models), REFUSED]
    run = place.server.client.ended(place.server.client.start("ask", json.dumps(urls)))
    assert run["status"] == "completed", run
    return run["output"]


@pytest.mark.parametrize("tls", [False, True], ids=["in_the_open", "over_tls"])
@pytest.mark.parametrize("way", WAYS)
def test_a_client_reaches_the_model_that_is_listed(way: str, tls: bool, answers: Any, place: Place) -> None:
    assert answers[place.models[tls].url][way] == "through the proxy"


def test_a_client_is_told_that_it_was_refused(answers: Any) -> None:
    """OpenAI's says no more than the status; the run's log and error do."""
    *by_openai, by_httpx = (answers[REFUSED][way] for way in WAYS)
    assert set(by_openai) == {"PermissionDeniedError Error code: 403"}
    assert by_httpx.startswith("403 runward: the network was refused: ")
    assert "agents.ask.allow_hosts" in by_httpx


@pytest.mark.parametrize("tls", [False, True], ids=["in_the_open", "over_tls"])
def test_a_run_that_waits_for_the_model_is_stopped_and_its_connection_ends(place: Place, tls: bool) -> None:
    model = place.models[tls]
    run_id = place.server.client.begun("wait", model.url)
    assert model.open == 1
    run = place.server.client.stopped(run_id, grace_s=0.2)
    assert (run["status"], run["exit"]["survivors"]) == ("cancelled", [])
    until(lambda: model.open == 0, AT_LAST_S, "the end of the connection")
