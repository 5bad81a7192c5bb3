"""Fits a bootstrapped Debian out as the image of a booted machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FILES = {
    # The names are Ubuntu's, as in the image that a node expects; who answers to them is the edge's business.
    "etc/apt/sources.list": "deb http://archive.ubuntu.com/ubuntu {suite} main restricted universe multiverse\n",
    "etc/apt/apt.conf.d/90boot": 'Acquire::Languages "none";\nAPT::Periodic::Enable "0";\n',
    # A throw-away disk needs no flushes.
    "etc/dpkg/dpkg.cfg.d/90boot": "force-unsafe-io\n",
    "etc/cloud/cloud.cfg.d/90-boot.cfg": (
        "datasource_list: [NoCloud, None]\nnetwork: {{config: disabled}}\nlocale: false\n"
        "disable_root: true\napt: {{preserve_sources_list: true}}\nmanage_etc_hosts: false\n"
    ),
    "etc/ssh/sshd_config.d/90-boot.conf": "UseDNS no\n",
    "etc/fstab": "# no disk but those that the machine finds\n",
}
MASKED = (
    *("console-getty.service", "getty@.service", "container-getty@.service", "getty.target"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service", "e2scrub_reap.service"),
)


def fit_out(root: Path, signing: Path, suite: str) -> None:
    """Configure the image under ``root``, and let it trust the authority and the archive of ``signing``."""
    shutil.rmtree(root / "etc/apt/sources.list.d", ignore_errors=True)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.format(suite=suite))
    shutil.copy(signing / "ca.crt", root / "usr/local/share/ca-certificates/booted-machines.crt")
    shutil.copy(signing / "archive.asc", root / "etc/apt/trusted.gpg.d/booted-machines.asc")
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)  # logs outlive a reboot
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    subprocess.run(["chroot", root, "/usr/sbin/update-ca-certificates"], check=True, capture_output=True)
    for name in ("etc/machine-id", "etc/hostname"):
        (root / name).write_text("")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # each machine makes its own
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / folder)
        (root / folder / "partial").mkdir(parents=True)
