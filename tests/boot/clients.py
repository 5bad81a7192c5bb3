"""What clients do, run as a program of its own in a client's network namespace: clients.py WHAT <arguments >answer."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def models(ca: str, endpoint: str, key: str) -> list[str]:
    return sorted(each.id for each in client(ca, endpoint, key).models.list())


def complete(ca: str, endpoint: str, key: str, model: str) -> dict[str, Any]:
    question: Any = [{"role": "user", "content": "Say something."}]
    answer = client(ca, endpoint, key).chat.completions.create(model=model, messages=question, max_tokens=8)
    return {"content": answer.choices[0].message.content, "tokens": answer.usage.completion_tokens}


def embed(ca: str, endpoint: str, key: str, model: str, texts: list[str]) -> list[int]:
    """The dimensions of each text's vector."""
    answer = client(ca, endpoint, key).embeddings.create(model=model, input=texts, encoding_format="float")
    return [len(each.embedding) for each in answer.data]


def stream(ca: str, endpoint: str, key: str, model: str) -> list[str]:
    question: Any = [{"role": "user", "content": "Say something."}]
    asked = client(ca, endpoint, key).chat.completions
    pieces = asked.create(model=model, messages=question, max_tokens=16, stream=True)
    return [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]


def ended(ca: str, endpoint: str, key: str, model: str) -> bool:
    """Whether a stream came to its end. Its text may be all thoughts, which have a field of their own."""
    question: Any = [{"role": "user", "content": "Say something."}]
    asked = client(ca, endpoint, key).chat.completions
    pieces = asked.create(model=model, messages=question, max_tokens=16, stream=True)
    return [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1:] in (["stop"], ["length"])


def first_token(ca: str, endpoint: str, key: str, model: str, seconds: float = 600) -> float:
    """Ask until somebody answers; when the first token of a stream was there, in seconds since 1970."""
    tls, where = ssl.create_default_context(cadata=ca), urlsplit(endpoint)
    asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "stream": True}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=30, context=tls)
        try:
            connection.request("POST", f"{where.path}/chat/completions", body=json.dumps(asked), headers=headers)
            answer = connection.getresponse()
            if answer.status == 200 and answer.readline().startswith(b"data:"):
                return time.time()
        except (OSError, http.client.HTTPException):
            pass  # it is off, or its gateway does not listen yet
        finally:
            connection.close()
        time.sleep(0.1)
    raise TimeoutError("no token came")


def keep_asking(ca: str, endpoint: str, key: str, model: str, until: str, callers: int = 2) -> dict[str, Any]:
    """Ask, and stream, until there is such a file; how many answers were whole, how the others ended, and seconds."""
    told: dict[str, Any] = {"whole": 0, "wrong": [], "seconds": []}
    access = {"ca": ca, "endpoint": endpoint, "key": key, "model": model}

    def caller(number: int) -> None:
        while not Path(until).exists():
            begun = time.monotonic()
            try:
                whole = ended(**access) if number % 2 else complete(**access)["tokens"]
            except Exception as error:
                told["wrong"].append(repr(error)[:300])
                continue
            told["wrong" if not whole else "whole"] += 1 if whole else ["it did not come to its end"]
            told["seconds"].append(time.monotonic() - begun)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(callers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return told


def client(ca: str, endpoint: str, key: str) -> Any:
    """As docs/user-guide.md says."""
    import openai

    web = openai.DefaultHttpxClient(verify=ssl.create_default_context(cadata=ca), timeout=300)
    return openai.OpenAI(base_url=endpoint, api_key=key, http_client=web, max_retries=0)


@contextmanager
def weaviate_client(ca: str, endpoint: str, grpc: str, key: str, folder: str) -> Iterator[Any]:
    """As docs/user-guide.md says."""
    import grpc as grpc_package
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Auth
    from weaviate.config import GrpcConfig

    file = Path(folder) / "ca.pem"
    file.write_text(ca)
    os.environ["SSL_CERT_FILE"] = str(file)
    http_host, http_port = urlsplit(endpoint).netloc.rsplit(":", 1)
    grpc_host, grpc_port = grpc.rsplit(":", 1)
    credentials = grpc_package.ssl_channel_credentials(root_certificates=ca.encode())
    with weaviate.connect_to_custom(
        http_host=http_host,
        http_port=int(http_port),
        http_secure=True,
        grpc_host=grpc_host,
        grpc_port=int(grpc_port),
        grpc_secure=True,
        auth_credentials=Auth.api_key(key),
        additional_config=AdditionalConfig(trust_env=True, grpc_config=GrpcConfig(credentials=credentials)),
    ) as store:
        yield store


def made_up(count: int) -> list[list[float]]:
    """Vectors, the same at every call."""
    dice = random.Random(1)
    return [[dice.uniform(-1, 1) for _ in range(32)] for _ in range(count)]


def remember(name: str, count: int, **access: str) -> int:
    """Make a collection and put vectors in; how many could not be."""
    from weaviate.classes.config import Configure

    with weaviate_client(**access) as store:
        papers = store.collections.create(name, vector_config=Configure.Vectors.self_provided())
        with papers.batch.fixed_size(batch_size=1000) as batch:
            for number, row in enumerate(made_up(count)):
                batch.add_object(properties={"number": number}, vector=row)
        return len(papers.batch.failed_objects)


def recall(name: str, count: int, **access: str) -> dict[str, Any]:
    """How many vectors a collection has, and which one is nearest to the one in the middle of ``count``."""
    from weaviate.classes.query import MetadataQuery

    with weaviate_client(**access) as store:
        papers = store.collections.get(name)
        middle = made_up(count)[count // 2]
        found = papers.query.near_vector(middle, limit=3, return_metadata=MetadataQuery(distance=True)).objects
        return {
            "total": papers.aggregate.over_all(total_count=True).total_count,
            "nearest": found[0].properties["number"],
            "distance": found[0].metadata.distance,
        }


def embedded(name: str, told: dict[str, str], texts: list[str], like: str, **access: str) -> dict[str, Any]:
    """Texts into a new collection, whose vectors the store makes: what failed, and what is nearest to one."""
    from weaviate.classes.config import Configure, DataType, Property

    with weaviate_client(**access) as store:
        papers = store.collections.create(
            name,
            properties=[Property(name="text", data_type=DataType.TEXT)],
            vector_config=Configure.Vectors.text2vec_openai(
                model=told["model"], base_url=told["base_url"], vectorize_collection_name=False
            ),
        )
        with papers.batch.fixed_size(batch_size=50, concurrent_requests=2) as batch:
            for each in texts:
                batch.add_object(properties={"text": each})
        found = papers.query.near_text(like, limit=1, include_vector=True).objects
        return {
            "failed": [str(each.message) for each in papers.batch.failed_objects],
            "nearest": [each.properties["text"] for each in found],
            "dimensions": [len(each.vector["default"]) for each in found],
        }


def statuses(ca: str, endpoint: str, requests: list[tuple[str, str]], key: str = "") -> dict[str, int]:
    """Status of each (method, path), over verified TLS."""
    tls = ssl.create_default_context(cadata=ca)
    found = {}
    for method, path in requests:
        where = urlsplit(endpoint)
        connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=60, context=tls)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        body = "{}" if method in ("POST", "PUT") else None
        connection.request(method, path, body=body, headers=headers)
        found[f"{method} {path}"] = connection.getresponse().status
        connection.close()
    return found


def status(ca: str, endpoint: str, key: str) -> dict[str, Any]:
    tls = ssl.create_default_context(cadata=ca)
    where = urlsplit(endpoint)
    connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=60, context=tls)
    connection.request("GET", "/status", headers={"Authorization": f"Bearer {key}"})
    return dict(json.loads(connection.getresponse().read()))


def open_ports(address: str, ports: list[int]) -> list[int]:
    found = []
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(5)
            if probe.connect_ex((address, port)) == 0:
                found.append(port)
    return found


def stranger(ca: str, address: str, port: int, way: str, question: str, key: str) -> str:
    """How somebody with no key, or with one that nobody gave out, is answered at a port; see strangers.py."""
    if way == "http":
        method, path = question.split()
        (code,) = statuses(ca, f"https://{address}:{port}", [(method, path)], key).values()
        return str(code)
    return _grpc(ca, address, port, question, key) if way == "grpc" else _sql(ca, address, port, *question.split("@"))


def _grpc(ca: str, address: str, port: int, method: str, key: str) -> str:
    """What a call without a message ends with: the name of the code, and what is said beside it."""
    import grpc

    credentials = grpc.ssl_channel_credentials(root_certificates=ca.encode())
    with grpc.secure_channel(f"{address}:{port}", credentials) as channel:
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        try:
            channel.unary_unary(method)(b"", timeout=30, metadata=metadata)
        except grpc.RpcError as refused:
            return f"{refused.code().name}: {refused.details()}"
    return "OK"


def _sql(ca: str, address: str, port: int, user: str, database: str) -> str:
    """How PostgreSQL answers who says his name and no more, without TLS and with it (protocol 3.0, message flow)."""
    names = b"".join(f"{each}\0".encode() for each in ("user", user, "database", database)) + b"\0"
    hello = struct.pack("!ii", 8 + len(names), 196608) + names
    with socket.create_connection((address, port), timeout=30) as plain:
        plain.sendall(hello)
        first = plain.recv(1).decode()
    with socket.create_connection((address, port), timeout=30) as opened:
        opened.sendall(struct.pack("!ii", 8, 80877103))
        assert opened.recv(1) == b"S"
        with ssl.create_default_context(cadata=ca).wrap_socket(opened, server_hostname=address) as safe:
            safe.sendall(hello)
            answer = safe.recv(9)
    kind = struct.unpack("!i", answer[5:9])[0] if answer[:1] == b"R" else -1
    return f"plain: {first}, TLS: {'asked for a password' if kind == 10 else 'answered'}"


WAITING = ("pending", "processing")
"""What Open WebUI calls a document that it has not read yet."""


def chat_page(
    ca: str, url: str, address: str, email: str, password: str, model: str, files: dict[str, str], question: str
) -> dict[str, Any]:
    """What a chat page tells a stranger, and then its administrator, who asks about documents; by a name that leads to
    ``address``."""
    import httpx

    lookup = socket.getaddrinfo
    name = urlsplit(url).hostname
    socket.getaddrinfo = lambda host, *more, **rest: lookup(address if host == name else host, *more, **rest)
    with httpx.Client(base_url=url, verify=ssl.create_default_context(cadata=ca), timeout=120) as page:
        account = {"email": email, "password": password}
        elsewhere = {"Origin": "https://elsewhere.example"}
        somebody = {"name": "x", "email": "x@example.com", "password": "a long password 1!"}
        told: dict[str, Any] = {
            "sign_up": page.post("/api/v1/auths/signup", json=somebody).status_code,
            "wrong_password": page.post("/api/v1/auths/signin", json={**account, "password": "w" * 40}).status_code,
            "of_another_origin": page.post("/api/v1/auths/signin", json=account, headers=elsewhere).status_code,
            "stranger": page.get("/api/models").status_code,
        }
        page.headers["Authorization"] = f"Bearer {page.post('/api/v1/auths/signin', json=account).json()['token']}"
        tool = {"id": "mine", "name": "mine", "content": "class Tools: pass", "meta": {"description": ""}}
        told["runs_code"] = page.post("/api/v1/tools/create", json=tool).status_code
        told["models"] = sorted(each["id"] for each in page.get("/api/models").json()["data"])
        asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 8}
        told["answer"] = page.post("/api/chat/completions", json=asked).json()
        put = []
        for each, text in files.items():
            made = page.post("/api/v1/files/", files={"file": (each, text, "text/plain")}).json()
            while (state := page.get(f"/api/v1/files/{made['id']}/process/status").json())["status"] in WAITING:
                time.sleep(0.2)
            told.setdefault("documents", []).append(state["status"])
            put.append({"type": "file", "id": made["id"], "name": each})
        told["cited"] = page.post("/api/chat/completions", json={**asked, "stream": True, "files": put}).text
        return told


WHAT: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        models,
        complete,
        embed,
        stream,
        first_token,
        keep_asking,
        remember,
        recall,
        embedded,
        statuses,
        status,
        open_ports,
        stranger,
        chat_page,
    )
}

if __name__ == "__main__":
    json.dump(WHAT[sys.argv[1]](**json.load(sys.stdin)), sys.stdout)
