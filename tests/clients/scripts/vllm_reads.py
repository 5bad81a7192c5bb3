"""Whether vLLM's own models read bodies: python vllm_reads.py < [{"path": …, "body": …}, …]; what it says of each."""

import json
import sys

from pydantic import TypeAdapter
from vllm.entrypoints.anthropic.protocol import AnthropicCountTokensRequest, AnthropicMessagesRequest
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.responses.protocol import ResponsesRequest
from vllm.entrypoints.pooling.embed.protocol import EmbeddingCompletionRequest
from vllm.entrypoints.pooling.scoring.protocol import RerankRequest, ScoreRequest
from vllm.entrypoints.serve.tokenize.protocol import DetokenizeRequest, TokenizeRequest

MODELS = {
    "/v1/chat/completions": ChatCompletionRequest,
    "/v1/responses": ResponsesRequest,
    "/v1/messages": AnthropicMessagesRequest,
    "/v1/messages/count_tokens": AnthropicCountTokensRequest,
    "/v1/embeddings": EmbeddingCompletionRequest,
    "/v1/rerank": RerankRequest,
    "/v1/score": ScoreRequest,
    "/tokenize": TokenizeRequest,
    "/detokenize": DetokenizeRequest,
}

said = []
for each in json.load(sys.stdin):
    adapter = TypeAdapter(MODELS[each["path"]])
    try:
        read = adapter.validate_python(each["body"])
        # What is sent and is no field of theirs would be passed over in silence.
        extra = sorted(set(each["body"]) - {*type(read).model_fields})
        said.append({"path": each["path"], "wrong": "", "extra": extra})
    except ValueError as wrong:
        said.append({"path": each["path"], "wrong": str(wrong)[:1000], "extra": []})
print(json.dumps(said))
