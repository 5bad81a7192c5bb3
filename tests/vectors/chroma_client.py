"""What a user's program does with Chroma: its own client, by TLS and with the key. Given: URL, authority, key."""

import sys
from urllib.parse import urlsplit

import chromadb
from chromadb.config import Settings

url, authority, key = sys.argv[1:]
place = urlsplit(url)
client = chromadb.HttpClient(
    host=str(place.hostname),
    port=place.port or 443,
    ssl=True,
    headers={"Authorization": f"Bearer {key}"},
    settings=Settings(chroma_server_ssl_verify=authority, anonymized_telemetry=False),
)
documents = client.get_or_create_collection("documents")
documents.upsert(ids=["a", "b"], embeddings=[[1.0, 2.0, 3.0], [9.0, 1.0, 1.0]], documents=["first", "second"])
found = documents.query(query_embeddings=[[1.0, 2.0, 2.0]], n_results=1)
print(found["ids"][0][0], documents.count(), [each.name for each in client.list_collections()])
