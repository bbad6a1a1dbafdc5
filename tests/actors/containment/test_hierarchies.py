"""Where cgroups are is read from two files of /proc, whose texts here are from real machines of each kind."""

from runward.actors.containment.hierarchies import Hierarchy, mounted

ROOT = "24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw"
SECOND = (
    "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
)


def first(controllers: str, root: str = "/", folder: str = "") -> str:
    where = f"/sys/fs/cgroup/{folder or controllers}"
    return f"36 35 0:31 {root} {where} rw,relatime shared:10 - cgroup cgroup rw,{controllers}"


def found(mounts: list[str], own: list[str]) -> list[Hierarchy]:
    return mounted("\n".join([ROOT, *mounts]) + "\n", "\n".join(own) + "\n")


def test_a_machine_of_today_has_one_hierarchy() -> None:
    own = "/user.slice/user-1000.slice/user@1000.service/app.slice/runward.service"
    assert found([SECOND], [f"0::{own}"]) == [Hierarchy(2, f"/sys/fs/cgroup{own}")]


def test_at_its_root_our_folder_is_where_it_is_mounted() -> None:
    assert found([SECOND], ["0::/"]) == [Hierarchy(2, "/sys/fs/cgroup")]


def test_an_older_one_has_a_hierarchy_for_each_controller_and_those_that_matter_are_found() -> None:
    mounts = [
        first("memory"),
        first("cpu,cpuacct"),
        first("pids"),
        first("devices"),
        first("xattr,name=systemd"),
    ]
    own = ["9:memory:/a/b", "8:cpu,cpuacct:/", "7:pids:/c", "6:devices:/", "1:name=systemd:/"]
    assert found(mounts, own) == [
        Hierarchy(1, "/sys/fs/cgroup/memory/a/b", ("memory",)),
        Hierarchy(1, "/sys/fs/cgroup/cpu,cpuacct", ("cpu",)),
        Hierarchy(1, "/sys/fs/cgroup/pids/c", ("pids",)),
    ]


def test_both_may_be_there() -> None:
    mounts = [first("memory"), SECOND.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")]
    assert found(mounts, ["2:memory:/x", "0::/y"]) == [
        Hierarchy(1, "/sys/fs/cgroup/memory/x", ("memory",)),
        Hierarchy(2, "/sys/fs/cgroup/unified/y"),
    ]


def test_in_a_container_a_hierarchy_may_be_mounted_from_our_cgroup_on() -> None:
    assert found([first("pids", "/docker/1f3")], ["7:pids:/docker/1f3"]) == [
        Hierarchy(1, "/sys/fs/cgroup/pids", ("pids",))
    ]
    assert found([first("pids", "/docker/1f3")], ["7:pids:/docker/1f3/inner"]) == [
        Hierarchy(1, "/sys/fs/cgroup/pids/inner", ("pids",))
    ]


def test_what_lies_outside_the_mount_or_the_namespace_can_not_be_used() -> None:
    assert found([first("pids", "/docker/1f3")], ["7:pids:/docker/1f3xyz"]) == []
    assert found([first("pids", "/docker/1f3")], ["7:pids:/"]) == []
    assert found([SECOND], ["0::/../other"]) == []


def test_of_two_mounts_of_the_same_the_first_counts() -> None:
    again = SECOND.replace("/sys/fs/cgroup", "/mnt/again")
    assert found([SECOND, again], ["0::/x"]) == [Hierarchy(2, "/sys/fs/cgroup/x")]


def test_odd_characters_of_a_path_are_read_as_they_are_meant() -> None:
    odd = SECOND.replace("/sys/fs/cgroup", r"/mnt/a\040b\134c")
    assert found([odd], ["0::/"]) == [Hierarchy(2, "/mnt/a b\\c")]


def test_where_nothing_is_mounted_nothing_is_found() -> None:
    assert found([], ["0::/"]) == []
    assert found([SECOND], ["7:pids:/"]) == []
