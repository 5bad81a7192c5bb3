"""Numbers that JSON can write and nobody can count with."""

from pathlib import Path

import pytest

from tests.gateway.harness import stand

CHAT = "/v1/chat/completions"
FIELDS = ("temperature", "max_tokens", "n", "seed", "top_p", "thinking_budget")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1.5E+400", "9" * 400 + ".0", "9" * 5000])
@pytest.mark.parametrize("field", FIELDS)
async def test_a_number_without_end_is_refused_wherever_it_stands(tmp_path: Path, field: str, number: str) -> None:
    message = '{"role": "user", "content": "x"}'
    bodies = [f'{{"model": "plain", "messages": [{message}], "{field}": {number}}}']
    if field == "seed":
        tool = f'{{"type": "function", "function": {{"name": "f", "parameters": {{"maximum": {number}}}}}}}'
        bodies += [
            f'{{"model": "plain", "messages": [{message}], "tools": [{tool}]}}',
            f'{{"model": "plain", "messages": {number}}}',
        ]
    async with stand(tmp_path, daily_tokens=10_000) as (_, fake, client):
        for body in bodies:
            headers = {"Content-Type": "application/json"}
            async with client.post(CHAT, data=body.encode(), headers=headers) as reply:
                assert reply.status == 400
                assert (await reply.json())["error"]["type"] == "invalid_request_error"
        assert not fake.seen


async def test_a_number_of_many_digits_that_ends_passes(tmp_path: Path) -> None:
    body = '{"model": "plain", "messages": [{"role": "user", "content": "x"}], "temperature": 0.' + "3" * 400 + "}"
    async with (
        stand(tmp_path) as (_, _, client),
        client.post(CHAT, data=body.encode(), headers={"Content-Type": "application/json"}) as reply,
    ):
        assert reply.status == 200


@pytest.mark.parametrize("number", [1_000_001, 10**19, 10**400])
@pytest.mark.parametrize("limits", [{}, {"daily_budget_usd": 1}, {"daily_tokens": 10_000}])
async def test_a_budget_for_thinking_that_no_answer_has_is_refused(
    tmp_path: Path, number: int, limits: dict[str, int]
) -> None:
    async with stand(tmp_path, kind="qwen", **limits) as (_, fake, client):
        body = {"model": "plain", "messages": [], "max_tokens": 5, "thinking_budget": number}
        async with client.post(CHAT, json=body) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]["param"] == "thinking_budget"
        assert not fake.seen
