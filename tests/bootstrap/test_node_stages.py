"""The stages of a node's boot, run as they are packed into user data, against a directory and stand-in commands."""

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import registry
from tests.bootstrap.samples import Node, booted, gpu_node, proxy_node, supplied, vector_node

GIB = 2**30
ROOT_DISK = {"path": "/dev/vda", "type": "disk", "size": 60 * GIB, "fstype": None, "label": None, "model": None}
ROOT_DISK = ROOT_DISK | {"children": [{"path": "/dev/vda1", "type": "part", "fstype": "ext4"}]}


def disk(path: str = "/dev/vdb", gib: float = 200, **fields: Any) -> dict[str, Any]:
    """A whole disk as lsblk shows it."""
    plain = {"path": path, "type": "disk", "size": int(gib * GIB), "fstype": None, "label": None, "model": None}
    return plain | fields


def with_disks(node: Node, *disks: dict[str, Any], blank: tuple[str, ...] = ("/dev/vdb",)) -> None:
    """Stand-ins for the commands that see and change disks."""
    node.fake("lsblk", f"cat <<'END'\n{json.dumps({'blockdevices': [ROOT_DISK, *disks]})}\nEND")
    # blkid says more than lsblk: udev may not have seen a disk that was attached this moment
    labels = "".join(
        f"""{each["path"]}) echo '{each["path"]}: LABEL="{each["label"]}"';; """ for each in disks if each["label"]
    )
    node.fake("blkid", f'case "$2" in {labels}{"|".join(blank) or "none"}) exit 2;; *) exit 0;; esac')
    node.fake("mountpoint", "exit 1")
    for name in ("mkfs.ext4", "mount", "resize2fs", "systemctl"):
        node.fake(name, "exit 0")


@pytest.fixture
def gpu(tmp_path: Path) -> Node:
    return supplied(tmp_path, gpu_node())


def failed(node: Node, stage: str) -> str:
    """Run a stage that is to fail, and return its code, as the status document has it too."""
    node.impatient()
    done = node.run("run", stage)
    assert done.returncode == 1, done.stderr
    entry = node.stage(stage)
    assert entry["state"] == "failed"
    assert f"[{entry['code']}]" in done.stderr
    assert node.status["code"] == entry["code"]
    assert node.status["ready"] is False
    return str(entry["code"])


# --- disk


def test_an_empty_disk_of_the_right_size_is_formatted_and_mounted(gpu: Node) -> None:
    with_disks(gpu, disk())
    assert gpu.run("run", "disk").returncode == 0
    assert "mkfs.ext4 -q -m0 -L llm-data /dev/vdb" in gpu.calls
    assert f"mount -onoatime /dev/vdb {gpu.path('/srv/llm')}" in gpu.calls
    assert "LABEL=llm-data /srv/llm ext4" in gpu.path("/etc/fstab").read_text()
    assert gpu.path("/srv/llm/models").is_dir()


def test_our_own_disk_is_mounted_and_never_formatted(gpu: Node) -> None:
    with_disks(gpu, disk(gib=500, label="llm-data", fstype="ext4"), blank=())
    assert gpu.run("run", "disk").returncode == 0
    assert not [call for call in gpu.calls if call.startswith("mkfs")]
    assert "resize2fs /dev/vdb" in gpu.calls


def test_our_own_disk_is_known_even_where_udev_has_not_seen_its_label(gpu: Node) -> None:
    with_disks(gpu, disk(label="llm-data"))
    listing = gpu.root / "fake" / "lsblk"
    listing.write_text(listing.read_text().replace('"llm-data"', "null"))
    assert gpu.run("run", "disk").returncode == 0
    assert not [call for call in gpu.calls if call.startswith("mkfs")]
    assert f"mount -onoatime /dev/vdb {gpu.path('/srv/llm')}" in gpu.calls


def test_a_partition_named_like_our_label_is_not_our_disk(gpu: Node) -> None:
    with_disks(gpu, disk(), blank=())
    gpu.fake("blkid", """echo '/dev/vdb: PART_ENTRY_NAME="llm-data" PARTLABEL="llm-data"'""")
    assert failed(gpu, "disk") == "disk.not-empty"
    assert not [call for call in gpu.calls if call.startswith(("mkfs", "mount "))]


def test_the_stage_finds_its_work_done_the_second_time(gpu: Node) -> None:
    with_disks(gpu, disk(label="llm-data", fstype="ext4"))
    gpu.run("run", "disk")
    gpu.fake("mountpoint", "exit 0")
    before = gpu.path("/etc/fstab").read_text()
    assert gpu.run("run", "disk").returncode == 0
    assert gpu.path("/etc/fstab").read_text() == before
    assert before.count("llm-data") == 1


def test_a_disk_that_was_mounted_at_boot_and_enlarged_since_gets_its_new_room(gpu: Node) -> None:
    with_disks(gpu, disk(label="llm-data", fstype="ext4"))
    gpu.fake("mountpoint", "exit 0")
    gpu.fake("findmnt", "echo /dev/vdb")
    assert gpu.run("run", "disk").returncode == 0
    assert "resize2fs /dev/vdb" in gpu.calls


def test_a_filesystem_that_cannot_grow_is_used_as_it_is_and_the_log_says_why(gpu: Node) -> None:
    with_disks(gpu, disk(label="llm-data", fstype="ext4"))
    gpu.fake("resize2fs", "echo 'Permission denied to resize filesystem' >&2; exit 1")
    done = gpu.run("run", "disk")
    assert done.returncode == 0
    assert "Permission denied to resize filesystem" in done.stdout


def test_a_disk_that_carries_data_is_never_formatted(gpu: Node) -> None:
    with_disks(gpu, disk(fstype="xfs"), blank=())
    assert failed(gpu, "disk") == "disk.not-empty"
    assert not [call for call in gpu.calls if call.startswith(("mkfs", "mount "))]


def test_a_disk_that_lsblk_calls_empty_but_carries_a_signature_is_never_formatted(gpu: Node) -> None:
    with_disks(gpu, disk(), blank=())
    assert failed(gpu, "disk") == "disk.not-empty"


def test_a_partitioned_disk_is_never_formatted(gpu: Node) -> None:
    with_disks(gpu, disk(children=[{"path": "/dev/vdb1"}]))
    assert failed(gpu, "disk") == "disk.not-empty"


def test_an_instance_store_is_not_the_data_disk(gpu: Node) -> None:
    with_disks(gpu, disk(model="Amazon EC2 NVMe Instance Storage"))
    assert failed(gpu, "disk") == "disk.absent"


def test_a_disk_of_another_size_is_not_the_data_disk(gpu: Node) -> None:
    with_disks(gpu, disk(gib=225))
    assert failed(gpu, "disk") == "disk.absent"


def test_two_empty_disks_of_one_size_are_not_guessed_between(gpu: Node) -> None:
    with_disks(gpu, disk(), disk("/dev/vdc"), blank=("/dev/vdb", "/dev/vdc"))
    assert failed(gpu, "disk") == "disk.ambiguous"


def test_a_disk_that_is_attached_late_is_waited_for(gpu: Node) -> None:
    with_disks(gpu, disk())
    late = gpu.root / "fake" / "lsblk"
    listing = late.read_text()
    empty = json.dumps({"blockdevices": [ROOT_DISK]})
    late.write_text(
        f"#!/bin/bash\nif [ ! -e {gpu.root}/asked ]; then touch {gpu.root}/asked; echo '{empty}'; exit; fi\n"
    )
    late.write_text(late.read_text() + listing.split("\n", 1)[1])
    assert gpu.run("run", "disk").returncode == 0
    assert gpu.stage("disk")["state"] == "done"


def test_a_node_without_a_data_disk_uses_its_system_disk(tmp_path: Path) -> None:
    node = booted(tmp_path, proxy_node(data_disk_gib=0))
    assert node.run("run", "disk").returncode == 0
    assert node.path("/srv/llm/secrets").is_dir()
    assert node.calls == []


# --- packages


def with_apt(node: Node, body: str = "exit 0") -> None:
    node.fake("dpkg-query", "exit 1")
    node.fake("dpkg", "exit 0")
    node.fake("systemctl", "exit 0")
    node.fake("apt-get", body)
    node.path("/etc/os-release").write_text('NAME="Ubuntu"\nVERSION_CODENAME=noble\n')


def test_packages_come_from_the_images_own_archive_first(gpu: Node) -> None:
    with_apt(gpu)
    assert gpu.run("run", "base").returncode == 0
    download, install = [call for call in gpu.calls if call.startswith("apt-get install")]
    assert "sourcelist" not in download + install
    assert download.startswith("apt-get install -fd ")
    assert install.endswith("python3-venv gcc libc6-dev python3-dev")


def test_what_a_kill_left_half_installed_is_set_right_first(gpu: Node) -> None:
    with_apt(gpu)
    assert gpu.run("run", "base").returncode == 0
    done = [call for call in gpu.calls if call.startswith(("dpkg ", "apt-get install"))]
    assert done[0] == "dpkg --configure -a"
    assert all(" -f" in call for call in done[1:])


def test_nothing_is_upgraded_and_nothing_restarted_beside(gpu: Node) -> None:
    with_apt(gpu, f'echo "NEEDRESTART_SUSPEND=$NEEDRESTART_SUSPEND" >> {gpu.root}/calls')
    assert gpu.run("run", "base").returncode == 0
    installs = [call for call in gpu.calls if call.startswith("apt-get install")]
    assert all("--no-upgrade" in call for call in installs)
    assert not [call for call in gpu.calls if "upgrade " in call.replace("--no-upgrade", "")]
    assert "NEEDRESTART_SUSPEND=1" in gpu.calls


def test_an_archive_that_is_too_slow_is_left_for_the_next(gpu: Node) -> None:
    with_apt(gpu)
    gpu.fake("timeout", f'shift; case "$*" in *sourcelist*) exec "$@";; esac; echo "{gpu.root}" > /dev/null; exit 124')
    assert gpu.run("run", "base").returncode == 0
    assert "mirrors.tencentyun.com" in gpu.path("/opt/llm/apt.list").read_text()


def test_the_last_archive_may_take_its_time(gpu: Node) -> None:
    with_apt(gpu)
    gpu.fake(
        "timeout",
        f'case "$*" in *sourcelist*" -fd "*|*" -fd "*sourcelist*) echo "$1" >> {gpu.root}/limits;; esac; exit 124',
    )
    assert failed(gpu, "base") == "apt.slow"


def test_a_held_lock_is_not_sought_at_another_mirror(gpu: Node) -> None:
    with_apt(gpu, 'echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt)"; exit 100')
    assert failed(gpu, "base") == "apt.locked"
    assert "held by process 812" in gpu.stage("base")["message"]
    assert not gpu.path("/opt/llm/apt.list").exists()


def test_what_is_installed_is_left_alone(gpu: Node) -> None:
    with_apt(gpu)
    gpu.fake("dpkg-query", "printf installed")
    assert gpu.run("run", "base").returncode == 0
    assert not [call for call in gpu.calls if call.startswith("apt-get")]


def test_a_dead_archive_is_passed_over_for_the_next_mirror(gpu: Node) -> None:
    dead = 'if [[ "$*" != *sourcelist* ]]; then echo "E: Failed to fetch http://archive"; exit 100; fi'
    with_apt(gpu, dead)
    assert gpu.run("run", "base").returncode == 0
    listed = gpu.path("/opt/llm/apt.list").read_text()
    assert "deb http://mirrors.tencentyun.com/ubuntu noble main restricted universe multiverse" in listed
    assert "noble-security" in listed


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("E: Could not get lock /var/lib/apt/lists/lock", "apt.locked"),
        ("E: Unable to locate package caddy", "apt.no-package"),
        ("E: Failed to fetch http://archive  Connection timed out", "apt.unreachable"),
        ("E: You don't have enough free space: No space left on device", "apt.disk-full"),
        ("E: Sub-process /usr/bin/dpkg returned an error code (1)", "apt.failed"),
    ],
)
def test_each_failure_of_apt_has_its_own_code(gpu: Node, printed: str, code: str) -> None:
    with_apt(gpu, f'echo "{printed}"; exit 100')
    assert failed(gpu, "base") == code


def test_the_packaged_caddy_never_starts(gpu: Node) -> None:
    with_apt(gpu)
    assert gpu.run("run", "services").returncode == 0
    masked = gpu.calls.index("systemctl mask caddy.service caddy-api.service")
    assert masked < next(n for n, call in enumerate(gpu.calls) if call.startswith("apt-get install"))


# --- driver


def with_gpu(node: Node, driver: str, gpus: int = 1) -> None:
    """A machine whose driver is of this version (empty: none)."""
    gpu_lines = "".join(f"GPU {n}: Tesla T4\\n" for n in range(gpus))
    (node.root / "driver").write_text(driver)
    node.fake(
        "nvidia-smi",
        f'v=$(cat {node.root}/driver); [ -n "$v" ] || exit 9\n'
        f'if [ "$1" = -L ]; then printf "{gpu_lines}"; else echo "$v"; fi',
    )
    device = node.path("/sys/bus/pci/devices/0000:00:07.0")
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030200\n")
    with_apt(node)
    node.fake("modprobe", f"[ $1 = nvidia ] && echo 580.173.02 > {node.root}/driver; exit 0")


def test_a_driver_that_is_new_enough_is_left_alone(gpu: Node) -> None:
    with_gpu(gpu, "595.91.07")
    assert gpu.run("run", "driver").returncode == 0
    assert not [call for call in gpu.calls if call.startswith("apt-get")]


def test_a_missing_driver_is_installed_for_the_running_kernel(gpu: Node) -> None:
    import os

    with_gpu(gpu, "")
    assert gpu.run("run", "driver").returncode == 0
    install = next(call for call in gpu.calls if call.startswith("apt-get install"))
    assert f"linux-modules-nvidia-580-server-{os.uname().release}" in install
    assert "systemctl reboot" not in gpu.calls


def test_modules_are_compiled_where_none_are_built_for_the_kernel(gpu: Node) -> None:
    with_gpu(gpu, "")
    with_apt(gpu, 'if [[ "$*" == *linux-modules-nvidia* ]]; then echo "E: Unable to locate package"; exit 100; fi')
    assert gpu.run("run", "driver").returncode == 0
    assert "nvidia-headless-580-server" in gpu.calls[-2] + gpu.calls[-3] + "".join(gpu.calls)


def test_the_switch_between_eight_gpus_gets_its_manager(gpu: Node) -> None:
    with_gpu(gpu, "")
    switch = gpu.path("/sys/bus/pci/devices/0000:00:08.0")
    switch.mkdir()
    (switch / "vendor").write_text("0x10de\n")
    (switch / "class").write_text("0x068000\n")
    assert gpu.run("run", "driver").returncode == 0
    assert "nvidia-fabricmanager-580" in next(call for call in gpu.calls if call.startswith("apt-get install"))
    assert "systemctl enable --now nvidia-fabricmanager" in gpu.calls


def test_a_machine_without_gpu_is_told_apart(gpu: Node) -> None:
    with_apt(gpu)
    gpu.fake("nvidia-smi", "exit 127")
    assert failed(gpu, "driver") == "driver.no-gpu"


def test_too_few_gpus_are_told_apart(tmp_path: Path) -> None:
    node = supplied(tmp_path, gpu_node(), gpus=8)
    with_gpu(node, "580.1", gpus=1)
    assert failed(node, "driver") == "driver.too-few-gpus"


@pytest.mark.parametrize("driver", ["", "535.161.07"])
def test_nothing_is_installed_in_a_container_that_has_no_driver_or_an_old_one(gpu: Node, driver: str) -> None:
    with_gpu(gpu, driver)
    (gpu.root / "opt/llm/container").mkdir(parents=True)
    assert failed(gpu, "driver") == "driver.not-of-a-container"
    assert not [call for call in gpu.calls if call.startswith(("apt-get", "modprobe"))]


def test_an_old_driver_that_came_another_way_is_not_replaced(gpu: Node) -> None:
    with_gpu(gpu, "535.161.07")
    assert failed(gpu, "driver") == "driver.too-old"
    assert not [call for call in gpu.calls if call.startswith("apt-get")]


def test_the_machine_reboots_once_for_its_driver_and_not_again(gpu: Node) -> None:
    with_gpu(gpu, "")
    gpu.fake("modprobe", "exit 1")
    driver = gpu.path("/opt/llm/lib/llm_node/driver.py")
    source = driver.read_text()
    assert "time.sleep(600)" in source
    driver.write_text(source.replace("time.sleep(600)", "time.sleep(0)"))
    assert failed(gpu, "driver") == "driver.rebooting"
    assert gpu.calls.count("systemctl reboot") == 1
    assert failed(gpu, "driver") == "driver.not-loaded"
    assert gpu.calls.count("systemctl reboot") == 1


# --- Python environments


def takes(node: Node, size: int) -> None:
    """Say that every environment takes ``size`` bytes: how much is free where the tests run is not theirs to say."""
    supply = node.path("/opt/llm/supply.json")
    document = json.loads(supply.read_text())
    for each in document["venvs"].values():
        each["unpacked_bytes"] = size
    supply.write_text(json.dumps(document))


def with_python(node: Node, install: str = "exit 0") -> None:
    """A python3 whose venv holds a python that pretends to install, so what it installs takes no room."""
    takes(node, 0)
    inner = f'echo "pip $*" >> {node.root}/calls\\n{install}'
    node.fake(
        "python3",
        f"""for home; do :; done
mkdir -p "$home/bin"; printf '#!/bin/bash\\n{inner}\\n' > "$home/bin/python"; chmod +x "$home/bin/python\"""",
    )


def test_vllm_is_installed_from_the_first_index_by_a_pinned_uv(gpu: Node) -> None:
    with_python(gpu)
    assert gpu.run("run", "python").returncode == 0
    first, second = [call for call in gpu.calls if call.startswith("pip")]
    assert "-i http://mirrors.tencentyun.com/pypi/simple --trusted-host mirrors.tencentyun.com" in first
    assert "-i http://mirrors.tencentyun.com/pypi/simple" in second
    for call, lock in ((first, "uv"), (second, "vllm")):
        assert call.endswith(f"-r {gpu.path(f'/opt/llm/locks/{lock}.txt')}")
        assert "--no-deps --require-hashes" in call
    digest = registry.environments()["vllm"].wheels.digest
    assert gpu.path("/opt/llm/venv/vllm-0.32.0/complete").read_text() == digest


def test_a_finished_environment_is_left_alone(gpu: Node) -> None:
    with_python(gpu)
    gpu.run("run", "gateway")
    before = len(gpu.calls)
    assert gpu.run("run", "gateway").returncode == 0
    assert len(gpu.calls) == before


def test_a_dead_index_is_passed_over_for_the_next(gpu: Node) -> None:
    with_python(gpu, 'case "$*" in *tencentyun*) echo Connection refused; exit 2;; esac')
    assert gpu.run("run", "python").returncode == 0
    assert "mirrors.cloud.tencent.com" in gpu.calls[-1]


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("error: No space left on device", "python.disk-full"),
        ("No solution found when resolving dependencies", "python.no-such-version"),
        ("Connection timed out", "python.index-unreachable"),
        ("error: Hash mismatch for torch==2.13.0", "python.wrong-digest"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "python.wrong-digest"),
        ("error: Failed to extract archive: vllm.whl cause: ZIP local header filename", "python.wrong-digest"),
        ("error: Failed to extract archive: vllm.whl cause: I/O operation failed", "python.index-unreachable"),
    ],
)
def test_each_failure_of_an_index_has_its_own_code(gpu: Node, printed: str, code: str) -> None:
    with_python(gpu, f"echo {printed}; exit 1")
    assert failed(gpu, "python") == code
    assert not gpu.path("/opt/llm/venv/vllm-0.32.0/complete").exists()


def test_a_wheel_with_another_digest_is_sought_at_the_next_index(gpu: Node) -> None:
    with_python(gpu, 'case "$*" in *tencentyun*uv\\ pip*|*uv\\ pip*tencentyun*) echo Hash mismatch; exit 1;; esac')
    assert gpu.run("run", "python").returncode == 0
    assert "mirrors.cloud.tencent.com" in gpu.calls[-1]


def test_an_index_that_stands_still_while_the_installer_itself_is_fetched_is_left_for_the_next(gpu: Node) -> None:
    with_python(gpu, 'case "$*" in -m\\ pip*tencentyun*) sleep 50;; esac')
    assert gpu.run("run", "python", LLM_STALL_SECONDS="0.3").returncode == 0
    assert "mirrors.cloud.tencent.com" in gpu.calls[-1]


def test_a_list_of_wheels_that_was_tampered_with_installs_nothing(gpu: Node) -> None:
    with_python(gpu)
    lock = gpu.path("/opt/llm/locks/vllm.txt")
    lock.write_text(lock.read_text().replace("torch==2.13.0", "torch==2.13.1"))
    assert failed(gpu, "python") == "python.wrong-digest"
    assert gpu.calls == []


def test_a_half_written_environment_is_made_anew(gpu: Node) -> None:
    with_python(gpu)
    gpu.run("run", "python")
    gpu.path("/opt/llm/venv/vllm-0.32.0/complete").unlink()
    assert gpu.run("run", "python").returncode == 0
    made = [call for call in gpu.calls if call.startswith("python3 -m venv --clear")]
    assert len(made) == 2


def test_other_wheels_of_the_same_version_are_another_environment(gpu: Node) -> None:
    with_python(gpu)
    gpu.run("run", "python")
    gpu.path("/opt/llm/venv/vllm-0.32.0/complete").write_text("another digest")
    assert gpu.run("run", "python").returncode == 0
    assert gpu.path("/opt/llm/venv/vllm-0.32.0/complete").read_text() != "another digest"


def test_a_system_disk_without_room_is_noticed_before_the_first_byte(gpu: Node) -> None:
    with_python(gpu)
    takes(gpu, 2**60)
    assert failed(gpu, "python") == "python.disk-full"
    assert "GiB are needed" in gpu.stage("python")["message"]
    assert gpu.calls == []


# --- images


def test_an_image_keeps_its_own_name_whatever_registry_answered(tmp_path: Path) -> None:
    node = supplied(tmp_path, vector_node())
    node.fake("docker", '[ "$1" = image ] && exit 1; exit 0')
    node.fake("systemctl", "exit 0")
    assert node.run("run", "images").returncode == 0
    image = "cr.weaviate.io/semitechnologies/weaviate:1.40.4"
    assert f"docker pull -q m.daocloud.io/{image}" in node.calls
    assert f"docker tag m.daocloud.io/{image} {image}" in node.calls


def test_no_registry_that_answers_is_a_code(tmp_path: Path) -> None:
    node = supplied(tmp_path, vector_node())
    node.fake("docker", "echo connection refused; exit 1")
    node.fake("systemctl", "exit 0")
    assert failed(node, "images") == "images.unreachable"
    assert "m.daocloud.io" in " ".join(node.calls)


def test_what_all_registries_answer_alike_is_told_once(tmp_path: Path) -> None:
    node = supplied(tmp_path, vector_node())
    node.fake("docker", "echo connection refused; exit 1")
    node.fake("systemctl", "exit 0")
    failed(node, "images")
    assert node.stage("images")["message"].count("connection refused") == 1


def test_a_docker_that_does_not_start_is_a_code_and_nothing_is_pulled(tmp_path: Path) -> None:
    node = supplied(tmp_path, vector_node())
    node.fake("docker", "exit 1")
    node.fake("systemctl", "echo docker.service: start request repeated too quickly; exit 1")
    assert failed(node, "images") == "services.docker"
    assert "systemctl start docker" in node.calls
    assert not [call for call in node.calls if call.startswith("docker pull")]


def with_vectors(tmp_path: Path, wrote: str | None) -> Node:
    """A node whose data disk has vectors, and the compose file that they were written under."""
    node = supplied(tmp_path, vector_node())
    node.fake("docker", "exit 0")
    node.fake("systemctl", "exit 0")
    node.path("/srv/llm/weaviate/collection").mkdir(parents=True)
    if wrote:
        image = f"    image: cr.weaviate.io/semitechnologies/weaviate:{wrote}\n"
        volumes = '    volumes: ["/srv/llm/weaviate:/var/lib/weaviate"]\n'
        node.path("/srv/llm/weaviate.yaml").write_text(volumes + image)
    return node


@pytest.mark.parametrize("wrote", ["1.35.2", "1.38.9", None])
def test_a_weaviate_that_skips_a_minor_version_is_refused_and_nothing_is_fetched(
    tmp_path: Path, wrote: str | None
) -> None:
    node = with_vectors(tmp_path, wrote)
    assert failed(node, "images") == "images.vectors-too-old"
    said = wrote.rpartition(".")[0] if wrote else "1.35"
    assert f"of Weaviate {said}, and 1.40 is to take them over" in node.stage("images")["message"]
    assert not [call for call in node.calls if call.startswith("docker")]


@pytest.mark.parametrize("wrote", ["1.39.0", "1.40.0", "1.41.3"])
def test_the_next_minor_version_takes_vectors_over_and_an_older_one_may_come_back(tmp_path: Path, wrote: str) -> None:
    assert with_vectors(tmp_path, wrote).run("run", "images").returncode == 0


# --- llm-node itself


def test_a_stage_that_the_node_does_not_have_is_refused(tmp_path: Path) -> None:
    done = booted(tmp_path, proxy_node()).run("run", "weights")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_a_fault_of_our_own_is_a_code_too(gpu: Node) -> None:
    gpu.fake("lsblk", "echo not json")
    gpu.fake("mountpoint", "exit 1")
    assert failed(gpu, "disk") == "disk.internal"


def test_the_status_names_what_failed_before_what_waits(gpu: Node) -> None:
    with_disks(gpu)
    failed(gpu, "disk")
    document = json.loads(gpu.run("status").stdout)
    assert (document["stage"], document["state"]) == ("disk", "failed")
    assert document["node"] == "tencent-t4"
    assert [each["stage"] for each in document["stages"]][-1] == "serve"
    assert {"schema", "node", "stage", "progress", "started", "updated", "ready", "code", "hint"} <= document.keys()
