"""`runward serve`: what it hands to root, and how it refuses. Root itself is not started here."""

import os
from pathlib import Path

import pytest

from runward.actors import errors, root
from runward.bin import fresh_start
from runward.bin.main import main
from runward.config.settings import Settings


class FakeRoot:
    """Stands for `root.serve`: remembers what it was given, and what was in the environment then."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.api_key: str | None = None
        self.environment: dict[str, str] = {}
        self.error: Exception | None = None

    def serve(
        self, settings: Settings, api_key: str | None, owner_fd: int | None, again: fresh_start.Again
    ) -> int:
        assert owner_fd is None
        self.again = again
        self.settings, self.api_key, self.environment = settings, api_key, dict(os.environ)
        if self.error:
            raise self.error
        return 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> FakeRoot:
    fake = FakeRoot()
    monkeypatch.setattr(root, "serve", fake.serve)
    return fake


def test_every_flag_is_a_setting(served: FakeRoot, tmp_path: Path) -> None:
    flags = ["--host", "localhost", "--port", "0", "--state", "here", "--auth", "none"]
    settings = ["--set", "runs.max_live=7", "--set", "http.cors_origins=http://a,http://b"]
    assert (
        main(
            [
                "serve",
                *flags,
                *settings,
                "--set",
                "agents.x.entrypoint=m:f",
                "--set",
                "agents.x.preload=['a']",
            ]
        )
        == 0
    )
    given = served.settings
    assert (given.http.host, given.http.port, given.auth.mode) == ("localhost", 0, "none")
    assert given.state.dir == str(tmp_path / "here")
    assert given.runs.max_live == 7
    assert given.http.cors_origins == ("http://a", "http://b")
    assert (given.agents["x"].entrypoint, given.agents["x"].preload) == ("m:f", ("a",))


def test_to_start_it_anew_takes_its_own_words_and_the_environment_that_it_had_at_first(
    served: FakeRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARD_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "here")
    assert main(["serve"]) == 0
    typed = ["python", "-m", "runward", "serve", "--port", "0"]
    monkeypatch.setattr("sys.orig_argv", [*typed, "--environment", "5", "--estate", "6"])
    words, environment, (memory, estate) = served.again(7, True)
    assert words[1:] == [*typed[1:], "--environment", str(memory), "--estate", "7", "--rehearse"]
    assert estate == 7
    assert "secret" not in environment.values()
    assert environment["PYTHONPATH"] == "here"
    assert not os.get_inheritable(memory)
    assert fresh_start.environment(memory)["RUNWARD_API_KEY"] == "secret"


def test_a_setting_given_twice_is_the_flag_of_its_own(served: FakeRoot) -> None:
    assert main(["serve", "--port", "0", "--set", "http.port=9"]) == 0
    assert served.settings.http.port == 0
    assert main(["serve", "--set", "http.port=9"]) == 0
    assert served.settings.http.port == 9


def test_the_key_is_handed_over_and_no_longer_in_the_environment(
    served: FakeRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARD_API_KEY", "secret")
    assert main(["serve"]) == 0
    assert served.api_key == "secret"
    assert "secret" not in served.environment.values()
    monkeypatch.setenv("RUNWARD_API_KEY", "")
    assert main(["serve"]) == 0
    assert served.api_key is None


def test_every_slip_in_the_configuration_is_told_at_once(
    served: FakeRoot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.toml").write_text("[http]\nprot = 1\n")
    assert main(["serve", "--config", "my.toml", "--port", "70000", "--set", "runs.max_live=x"]) == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split()[0] for line in printed.err.splitlines()] == ["runward:"] * 3
    assert all(word in printed.err for word in ("did you mean http.port?", "70000", "runs.max_live"))


@pytest.mark.parametrize(
    "refusal",
    [errors.ContainmentMissing, errors.PortTaken, errors.StateFolderTaken, errors.StateFolderUnusable],
)
def test_a_machine_that_can_not_is_78_and_told_in_a_line(
    refusal: type[Exception], served: FakeRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    served.error = refusal("this is why")
    assert main(["serve"]) == 78
    assert capsys.readouterr().err == "runward: this is why\n"


@pytest.mark.parametrize(
    "flags", [["--set", "x"], ["--set", "=1"], ["--auth", "maybe"], ["--port", "x"], ["more"]]
)
def test_wrong_usage_is_2(flags: list[str], served: FakeRoot) -> None:
    assert main(["serve", *flags]) == 2
