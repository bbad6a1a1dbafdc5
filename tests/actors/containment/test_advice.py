"""What is advised for each refusal, from what was tried and where we are. Nothing is asked of the machine here."""

import errno

import pytest

from runward.actors.containment.advice import advice
from runward.actors.containment.findings import Found, Tried


def advised(name: str, number: int, detail: str = "", **surroundings: str) -> list[str]:
    named = {key.replace("__", "."): text for key, text in surroundings.items()}
    return advice(Found(rung="", tried={name: Tried(number, detail=detail)}, surroundings=named))


@pytest.mark.parametrize(
    ("name", "number", "surroundings", "word"),
    [
        ("cgroup_kill", errno.EACCES, {}, "Delegate=yes"),
        ("memory_cgroup", errno.EBUSY, {}, "Delegate=yes"),
        ("pids_cgroup", errno.EROFS, {}, "docker"),
        ("cpu_cgroup", errno.ENODEV, {}, "cgroup_enable=memory"),
        ("cgroup_kill", errno.ENOENT, {}, "5.14"),
        ("pid_namespace", errno.ENOSYS, {}, "seccomp profile hides clone3"),
        ("pid_namespace", errno.ENOSPC, {}, "max_pid_namespaces"),
        (
            "user_namespace",
            errno.EACCES,
            {"kernel__apparmor_restrict_unprivileged_userns": "1"},
            "rule `userns,`",
        ),
        (
            "user_namespace",
            errno.EPERM,
            {"kernel__unprivileged_userns_clone": "0"},
            "unprivileged_userns_clone=1",
        ),
        ("user_namespace", errno.ENOSPC, {"user__max_user_namespaces": "0"}, "max_user_namespaces"),
        ("user_namespace", errno.EPERM, {"container": "docker"}, "SYS_ADMIN"),
        ("landlock", errno.EOPNOTSUPP, {}, "lsm="),
        ("signal_scope", errno.EOPNOTSUPP, {}, "6.12"),
        ("seccomp", errno.EINVAL, {}, "CONFIG_SECCOMP_FILTER"),
        ("children_of_a_process", errno.ENOENT, {}, "CONFIG_PROC_CHILDREN"),
    ],
)
def test_a_refusal_comes_with_what_would_help(
    name: str, number: int, surroundings: dict[str, str], word: str
) -> None:
    [line] = advised(name, number, **surroundings)
    assert line.startswith(f"{name.replace('_', ' ')}: ")
    assert word in line


def test_a_user_of_a_runs_own_that_can_not_read_python_is_told_what() -> None:
    [line] = advice(Found(rung="", walls={"uid": Tried(errno.EACCES, detail="/root/python")}))
    assert "/root/python" in line


def test_a_root_that_may_not_become_somebody_else_is_told_what_it_lacks() -> None:
    [line] = advised("uid_kill", errno.EPERM, user="root")
    assert "CAP_SETUID" in line


def test_an_ordinary_user_is_not_told_to_be_root() -> None:
    assert advised("uid_kill", errno.EPERM, user="uid 1000") == []


def test_where_all_works_there_is_nothing_to_do() -> None:
    assert advice(Found(rung="", tried={"cgroup_kill": Tried(), "user_namespace": Tried()})) == []
