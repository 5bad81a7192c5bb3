"""Where backups lie: a folder of this machine, or a bucket that speaks S3. Both have the same few verbs.

A backup is a folder ``PROJECT/STACK/ID`` with its parts and, last, its manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from pulumi_llm import _system as system
from pulumi_llm._backup.manifest import FILE
from pulumi_llm._backup.refusals import answer, refused, unreachable
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import BUCKETS, Bucket, bucket_url

HOURS = 12
"""That a signed address works: a part of 1 GiB needs 20 minutes at 1 MB/s, and parts go one after another."""


class Place(Protocol):
    """Where the backups of one stack are."""

    def writable(self) -> None:
        """Refuse a place that cannot be written (``backup.target-refused``), before a backup is made for it."""

    def ids(self) -> list[str]:
        """The backups that are there, whole or not, in order of their names."""

    def read(self, name: str) -> bytes | None:
        """A small object; None: there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Put a small object."""

    def delete(self, id_: str) -> None:
        """Take a backup away, its manifest first."""


class Folder:
    """A folder of the machine that the command runs on."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def path(self, name: str) -> Path:
        """Where an object lies."""
        return self.top.joinpath(*name.split("/"))

    def writable(self) -> None:
        """Make the folder, and a file in it."""
        try:
            self.top.mkdir(parents=True, exist_ok=True)
            mark = self.top / ".pulumi-llm"
            mark.write_bytes(b"")
            mark.unlink()
        except OSError as wrong:
            raise refused(str(self.top), system.why(wrong)) from None

    def ids(self) -> list[str]:
        """Its folders."""
        return sorted(each.name for each in self.top.iterdir() if each.is_dir()) if self.top.is_dir() else []

    def read(self, name: str) -> bytes | None:
        """A file's content."""
        try:
            return self.path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as wrong:
            raise refused(str(self.path(name)), system.why(wrong)) from None

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        path = self.path(name)
        new = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(content)
            new.replace(path)
        except OSError as wrong:
            raise refused(str(path), system.why(wrong)) from None

    def delete(self, id_: str) -> None:
        """Delete a folder."""
        (self.path(id_) / FILE).unlink(missing_ok=True)
        shutil.rmtree(self.path(id_), ignore_errors=True)


class Store:
    """A bucket, with the credentials of whoever runs the command. They stay here: a node gets signed addresses."""

    def __init__(self, bucket: Bucket, region: str, endpoint: str | None, below: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            hint = _("pip install 'pulumi-llm[refresh]', or a folder as --to")
            raise Refusal(
                [Finding("backup.no-signer", _("buckets are asked by boto3, which is not here"), hint)]
            ) from None
        row = BUCKETS[bucket.scheme]
        self.bucket, self.prefix = bucket.name, "/".join(filter(None, (bucket.prefix, below)))
        self.shown = bucket_url(bucket, region, endpoint) or ""
        # Not as a keyword: `tools/outdated` would read it as the pin of some software.
        signing = {"signature_version": row["signature"]}
        config = Config(
            **signing,
            s3={"addressing_style": "path" if endpoint else "virtual"},
            connect_timeout=20,
            retries={"max_attempts": 4},
        )
        host = endpoint or f"https://{row['host'].format(region=region)}"
        self.client: Any = boto3.Session().client("s3", region_name=region, endpoint_url=host, config=config)

    def signed(self, verb: str, name: str, **more: str) -> str:
        """An address at which whoever has it may put or get one object, for some hours. Treat it as a secret.

        ``more`` are headers that the request has to have, by boto3's names of them.
        """
        asked = {"Bucket": self.bucket, "Key": f"{self.prefix}/{name}", **more}
        with self._told():
            return str(self.client.generate_presigned_url(f"{verb}_object", Params=asked, ExpiresIn=HOURS * 3600))

    def writable(self) -> None:
        """Put an empty object."""
        self.write(".pulumi-llm", b"")

    def ids(self) -> list[str]:
        """The folders below the stack's."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/", Delimiter="/"
        )
        with self._told():
            found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        return sorted(each.rstrip("/").rpartition("/")[2] for each in found)

    def read(self, name: str) -> bytes | None:
        """An object's content."""
        with self._told():
            try:
                return bytes(self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")["Body"].read())
            except self.client.exceptions.NoSuchKey:
                return None

    def held(self, name: str) -> tuple[int, str] | None:
        """Bytes of an object, and what the bucket calls its content (ETag); None: there is none."""
        with self._told():
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")
                return int(found["ContentLength"]), plain(found.get("ETag"))
            except self.client.exceptions.ClientError as wrong:
                if wrong.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise

    def write(self, name: str, content: bytes) -> None:
        """Put an object, by a signed address: boto3 itself sends in chunks, which OSS does not take."""
        import urllib.error
        import urllib.request

        request = urllib.request.Request(self.signed("put", name), data=content, method="PUT")  # noqa: S310
        request.add_header("Content-Type", "")
        try:
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - an address that was signed here
        except urllib.error.HTTPError as wrong:
            raise refused(self.shown, answer(wrong)[0]) from None
        except OSError as wrong:
            raise unreachable(self.shown, str(getattr(wrong, "reason", wrong))) from None

    def delete(self, id_: str) -> None:
        """Delete all objects of a backup."""
        with self._told():
            for name in sorted(self._names(id_), key=lambda each: not each.endswith(f"/{FILE}")):
                self.client.delete_object(Bucket=self.bucket, Key=name)

    def _names(self, id_: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/{id_}/"
        )
        for page in pages:
            yield from (str(each["Key"]) for each in page.get("Contents", ()))

    def _told(self) -> Any:
        from pulumi_llm._backup.asking import told

        return told(self.shown)


def plain(etag: str | None) -> str:
    """An ETag as all servers write it: some quote it, and OSS has it in capitals."""
    return (etag or "").strip('"').lower()
