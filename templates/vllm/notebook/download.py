"""Fetch a model's files from a hub: python3 download.py KIND ENDPOINT MODEL REVISION FOLDER

KIND is huggingface (hf-mirror speaks that too) or modelscope. Of the weights one form is fetched, the first of
consolidated*.safetensors, *.safetensors, *.bin and *.pt that lies at the top: vLLM reads no other. A file that is there
is checked and not fetched again, and one that is there in part goes on. A gated model takes your token from HF_TOKEN.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

KIND, ENDPOINT, MODEL, REVISION, FOLDER = sys.argv[1:]
FORMS = r"consolidated.*\.safetensors", r".+\.safetensors", r"(?!training_args|optimizer).+\.bin", r".+\.pt"
OTHER = r"(?!\d_).*\.(safetensors|bin|pth?|ckpt|gguf|h5|msgpack|onnx.*)"
TRIES = 5


def get(url, start=0):
    """Open a URL of the hub, from a byte on."""
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310 - the hub's
    token = os.environ.get("HF_TOKEN")
    if KIND == "huggingface" and token and url.startswith(f"{ENDPOINT}/"):
        # unredirected: the hub sends large files from other hosts, which shall not see it
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return urlopen(request, timeout=60)  # noqa: S310


def listed():
    """All files that the hub has of the model: path, bytes, SHA-256 where it tells one, URL."""
    if KIND == "modelscope":
        api, revision = f"{ENDPOINT}/api/v1/models/{MODEL}/repo", quote(REVISION or "master", "")
        rows = json.load(get(f"{api}/files?Revision={revision}&Recursive=True"))["Data"]["Files"]
        base = f"{api}?Revision={revision}&FilePath="
        rows = [row for row in rows if row["Type"] == "blob"]
        return [(row["Path"], row["Size"], row.get("Sha256"), base + quote(row["Path"], "")) for row in rows]
    revision = quote(REVISION or "main", "")
    url, rows = f"{ENDPOINT}/api/models/{MODEL}/tree/{revision}?recursive=true", []
    while url:
        answer = get(url)
        rows += [row for row in json.load(answer) if row["type"] == "file"]
        url = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]  # the next page
    base = f"{ENDPOINT}/{MODEL}/resolve/{revision}/"
    return [(row["path"], row["size"], row.get("lfs", {}).get("oid"), base + quote(row["path"])) for row in rows]


def wanted():
    """The files that vLLM reads."""
    files = [each for each in listed() if ".." not in each[0] and each[0][0] not in "./"]
    top = [name for name, *_ in files if "/" not in name]
    weights = next(filter(None, ([name for name in top if re.fullmatch(form, name)] for form in FORMS)), None)
    if not weights:
        sys.exit(f"{ENDPOINT} has no weights of {MODEL} in a form that vLLM reads")
    return [each for each in files if each[0] in weights or not re.fullmatch(OTHER, each[0])]


def fetched(path, size, digest, url):
    """Fetch one file, going on where it stopped; whether it is whole and has the hub's digest."""
    have = path.stat().st_size if path.exists() else 0
    if have < size:
        with get(url, have) as answer, path.open("ab" if answer.status == 206 else "wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
    elif not have:
        path.touch()
    if (now := path.stat().st_size) < size:
        return False
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    if now == size and digest in (None, "", found.hexdigest()):
        return True
    path.unlink()  # nothing of it can be trusted
    return False


def main():
    """Fetch all of them, one after the other."""
    files = wanted()
    gib = sum(size for _, size, *_ in files) / 2**30
    sys.stdout.write(f"{len(files)} files, {gib:.2f} GiB, from {ENDPOINT}\n")
    for name, size, digest, url in files:
        path = Path(FOLDER, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            try:
                if fetched(path, size, digest, url):
                    break
            except OSError as error:  # a refusal by the hub, or a connection that broke
                sys.stderr.write(f"{name}: {error}; once more\n")
        else:
            sys.exit(f"{name} does not come whole from {ENDPOINT}")
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


main()
