"""Each moderator against a stand-in of its service (none against the real one), and what happens when it fails."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any

import pytest
from llm_gate.content import Content, ContentError, Decision, Piece
from llm_gate.content.moderators import Verdict
from llm_gate.content.remote import Batches, parts

from tests.gateway.content.fakes import BAD, DOUBTFUL, Vendors, vendors

OPTIONS = {
    "openai": {"url": "{url}/v1"},
    "yidun": {"url": "{url}", "business_id": "b1"},
    "baidu": {"url": "{url}"},
    "aliyun": {"endpoint": "{url}"},
    "tencent": {"endpoint": "{url}"},
}
LABELS = {"openai": "violence", "yidun": "100", "baidu": "33", "aliyun": "sexual_content", "tencent": "Porn"}
SECRETS = {"key": "the-secret-key", "id": "the-key-id"}


def moderator(kind: str, url: str, **more: Any) -> dict[str, Any]:
    options = {key: value.format(url=url) for key, value in OPTIONS.get(kind, {}).items()} | more.pop("options", {})
    row = {"name": "mod", "kind": kind, "action": "block", "on_error": "block", "options": options, "secret": "key"}
    return row | ({"secret_id": "id"} if kind != "openai" else {}) | more


def made(url: str, kind: str, lists: tuple[dict[str, Any], ...] = (), **more: Any) -> Content:
    config = {"lists": list(lists), "moderators": [moderator(kind, url, **more)]}
    return Content.from_policy(config, Path(), secret=SECRETS.__getitem__)


def judged(kind: str, text: str, mode: str = "ok", **more: Any) -> tuple[Decision, Vendors]:
    async def go() -> tuple[Decision, Vendors]:
        async with vendors(mode) as state:
            content = made(state.url, kind, **more)
            try:
                return await content.check_input([text], key="k", model="m"), state
            finally:
                await content.close()

    return asyncio.run(go())


@pytest.mark.parametrize("kind", OPTIONS)
def test_each_moderator_passes_what_its_service_passes(kind: str) -> None:
    decision, state = judged(kind, "今天天气不错")
    assert decision == Decision("pass", ["今天天气不错"])
    assert state.seen == ["今天天气不错"]


@pytest.mark.parametrize("kind", OPTIONS)
def test_each_moderator_blocks_what_its_service_refuses_and_gives_its_labels(kind: str) -> None:
    decision, _ = judged(kind, f"这是{BAD}")
    assert decision.action == "block"
    assert [(each.source, each.detail) for each in decision.reasons] == [("mod", LABELS[kind])]


@pytest.mark.parametrize("kind", [each for each in OPTIONS if each != "openai"])
@pytest.mark.parametrize("review", ["block", "log"])
def test_a_doubtful_verdict_means_what_review_says(kind: str, review: str) -> None:
    decision, _ = judged(kind, f"这是{DOUBTFUL}", review=review)
    assert decision.action == review
    assert decision.reasons[0].detail == f"review:{LABELS[kind]}"


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_moderator_that_only_logs_never_blocks(kind: str) -> None:
    assert judged(kind, f"这是{BAD}", action="log")[0].action == "log"


@pytest.mark.parametrize("on_error", ["block", "pass"])
@pytest.mark.parametrize(
    ("mode", "kind", "said"),
    [
        ("500", "openai", "http-500"),
        ("redirect", "openai", "http-307"),
        ("nonsense", "openai", "bad-answer"),
        ("huge", "openai", "bad-answer"),
        ("stall", "openai", "timeout"),
        ("500", "yidun", "http-500"),
        ("nonsense", "yidun", "bad-answer"),
        ("500", "baidu", "http-500"),
        ("nonsense", "baidu", "no-token"),
        ("stall", "aliyun", "timeout"),
        ("nonsense", "aliyun", "bad-answer"),
        ("stall", "tencent", "timeout"),
    ],
)
def test_a_moderator_that_fails_blocks_or_passes_as_the_configuration_says(
    mode: str, kind: str, said: str, on_error: str
) -> None:
    patience = 0.3 if mode == "stall" else 20
    decision, _ = judged(kind, "今天天气不错", mode, on_error=on_error, timeout_seconds=patience)
    assert decision.action == {"block": "block", "pass": "log"}[on_error]
    assert [each.detail for each in decision.reasons] == [f"error:{said}"]


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_service_that_cannot_be_reached_is_an_error_and_says_no_text(kind: str) -> None:
    content = made("http://127.0.0.1:9", kind, timeout_seconds=20)

    async def go() -> Decision:
        try:
            return await content.check_input(["秘密的话"], key="k", model="m")
        finally:
            await content.close()

    decision = asyncio.run(go())
    assert decision.action == "block"
    assert decision.reasons[0].detail.startswith("error:")
    assert "秘密" not in repr(decision)


def test_a_text_longer_than_may_be_judged_counts_as_an_error_and_is_not_sent() -> None:
    decision, state = judged("openai", "好" * 500, longest_chars=499)
    assert (decision.action, decision.reasons[0].detail, state.seen) == ("block", "error:too-long", [])


def test_a_long_text_is_judged_in_parts_and_one_bad_part_is_enough() -> None:
    text = "好。" * 1500 + BAD + "好" * 100
    decision, state = judged("aliyun", text)
    assert decision.action == "block"
    assert sorted(map(len, state.seen)) == sorted(map(len, parts(text, 2000)))
    assert all(len(each) <= 2000 for each in state.seen)


def test_a_signature_of_another_key_is_refused_by_the_stand_in_so_that_the_right_one_says_something() -> None:
    async def go() -> Decision:
        async with vendors() as state:
            config = {"moderators": [moderator("yidun", state.url)]}
            content = Content.from_policy(config, Path(), secret={"key": "another", "id": "the-key-id"}.__getitem__)
            try:
                return await content.check_input(["好"], key="k", model="m")
            finally:
                await content.close()

    assert asyncio.run(go()).reasons[0].detail == "error:code-410"


def test_baidus_token_is_fetched_once_and_again_when_it_is_no_longer_valid() -> None:
    async def go(mode: str) -> int:
        async with vendors(mode) as state:
            content = made(state.url, "baidu")
            for _ in range(3):
                assert (await content.check_input(["好"], key="k", model="m")).action == "pass"
            await content.close()
            return state.tokens

    assert asyncio.run(go("ok")) == 1
    assert asyncio.run(go("expired")) == 2


@pytest.mark.parametrize("direction", ["input", "output"])
def test_aliyun_is_asked_with_the_service_for_the_direction(direction: str) -> None:
    async def go() -> list[dict[str, str]]:
        async with vendors() as state:
            content = made(state.url, "aliyun")
            check = content.check_input if direction == "input" else content.check_output
            await check(["好"], key="k", model="m")
            await content.close()
            return state.forms

    expected = {"input": "llm_query_moderation", "output": "llm_response_moderation"}[direction]
    assert [each["Service"] for each in asyncio.run(go())] == [expected]


@pytest.mark.parametrize(("least", "action"), [(0.4, "block"), (0.6, "pass")])
def test_openais_scores_are_compared_with_thresholds_where_they_are_given(least: float, action: str) -> None:
    assert judged("openai", DOUBTFUL, options={"thresholds": {"violence": least}})[0].action == action


def test_a_threshold_for_a_category_that_the_service_does_not_give_is_an_error_not_a_pass() -> None:
    assert judged("openai", "好", options={"thresholds": {"vioIence": 0.5}})[0].reasons[0].detail == "error:bad-answer"


def test_moderators_see_nothing_of_what_a_list_blocks_and_see_masks_for_what_a_list_masks() -> None:
    async def go(action: str) -> list[str]:
        async with vendors() as state:
            rows = ({"name": "words", "words": ["敏感词"], "action": action},)
            content = made(state.url, "openai", rows)
            await content.check_input(["说敏感词"], key="k", model="m")
            await content.close()
            return state.seen

    assert asyncio.run(go("block")) == []
    assert asyncio.run(go("mask")) == ["说***"]


@pytest.mark.parametrize("mode", ["ok", "500", "nonsense"])
@pytest.mark.parametrize("kind", OPTIONS)
def test_neither_text_nor_secret_is_in_reasons_or_logs(
    kind: str, mode: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    decision, _ = judged(kind, f"planted-prompt {BAD}", mode, timeout_seconds=20)
    out = capfd.readouterr()
    coded = base64.b64encode(f"planted-prompt {BAD}".encode()).decode()
    for each in ("planted-prompt", BAD, coded[:16], "the-secret-key", "the-key-id"):
        assert each not in repr(decision.reasons) + caplog.text + out.out + out.err


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("openai", {"options": {"url": "http://203.0.113.5/v1"}}, "https address"),
        ("openai", {"options": {"url": "file:///etc/passwd"}}, "https address"),
        ("openai", {"options": {"modle": "x"}}, "unknown options: modle"),
        ("openai", {"secret": None}, "needs 'secret'"),
        ("yidun", {"options": {"business_id": ""}}, "business_id"),
        ("baidu", {"secret_id": None}, "needs 'secret_id'"),
        ("hook", {"options": {"entry": "no.such:thing"}}, "cannot be imported"),
    ],
)
def test_an_unfit_moderator_is_refused_before_anything_is_served(kind: str, more: dict[str, Any], said: str) -> None:
    row = {key: value for key, value in moderator(kind, "https://example.com", **more).items() if value is not None}
    with pytest.raises(ContentError, match=said):
        Content.from_policy({"moderators": [row]}, Path(), secret=SECRETS.__getitem__)


def test_a_clouds_sdk_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tencentcloud.tms.v20201229", None)
    monkeypatch.delitem(__import__("sys").modules, "tencentcloud.tms.v20201229.tms_client", raising=False)
    with pytest.raises(ContentError, match="which is not installed"):
        made("https://example.com", "tencent")


# One's own, and streams.


class Own:
    """What a hook's factory gives."""

    limit = 10_000

    def __init__(self, refuses: str) -> None:
        self.refuses, self.seen = refuses, list[str]()

    async def judge(self, text: str, direction: str) -> Verdict:
        self.seen.append(text)
        if "explode" in text:
            raise RuntimeError(text)
        return Verdict("block" if self.refuses in text else "pass", (direction,))

    async def close(self) -> None:
        return


MADE: list[Own] = []


def factory(options: dict[str, Any], secret: Any) -> Own:
    MADE.append(Own(options["refuses"]))
    return MADE[-1]


def own(**more: Any) -> tuple[Content, Own]:
    entry = {"entry": "tests.gateway.content.test_moderators:factory", "refuses": BAD}
    row = {"name": "own", "kind": "hook", "action": "block", "on_error": "block", "options": entry, "batch_chars": 10}
    return Content.from_policy({"moderators": [row | more]}, Path()), MADE[-1]


def streamed(content: Content, pieces: list[str]) -> list[Piece]:
    async def go() -> list[Piece]:
        scan = content.output(key="k", model="m")
        return [*[await scan.feed(0, each) for each in pieces], await scan.finish(0)]

    return asyncio.run(go())


def test_a_moderator_of_ones_own_is_asked_and_its_exceptions_say_only_their_type() -> None:
    content, _ = own()
    decision = asyncio.run(content.check_input(["explode with planted-prompt"], key="k", model="m"))
    assert [each.detail for each in decision.reasons] == ["error:RuntimeError"]
    assert asyncio.run(content.check_output([BAD], key="k", model="m")).reasons[0].detail == "output"


def test_a_stream_waits_for_the_verdict_on_each_batch_of_sentences() -> None:
    content, asked = own()
    text = "一二三四五六七八九。甲乙丙丁戊己庚辛壬癸！尾"
    assert [each.text for each in streamed(content, list(text))] == [
        *[""] * 9,
        "一二三四五六七八九。",
        *[""] * 10,
        "甲乙丙丁戊己庚辛壬癸！",
        "",
        "尾",
    ]
    assert asked.seen == [text[:10], text[:21], text]


def test_nothing_of_a_batch_that_is_refused_is_released() -> None:
    content, _ = own()
    pieces = streamed(content, ["一二三四五六七八九。甲乙丙", BAD, "庚辛壬癸！", "尾"])
    assert "".join(each.text for each in pieces) == "一二三四五六七八九。"
    assert [each.blocked for each in pieces] == [False, False, True, True, True]


def test_a_sentence_without_end_is_judged_at_four_times_the_batch() -> None:
    content, asked = own()
    streamed(content, ["无" * 95])
    assert list(map(len, asked.seen)) == [40, 80, 95]


@pytest.mark.parametrize("cut", [1, 3, 7, 100])
def test_batches_end_at_the_same_places_whatever_the_pieces(cut: int) -> None:
    text = "一句话。又是一句话，比较长的一句话！ok. yes; no\n" * 20
    batches = Batches(12)
    found = [one for at in range(0, len(text), cut) for one in batches.take(text[at : at + cut], ended=False)]
    found += batches.take("", ended=True)
    assert "".join(batch for _, batch in found) == text
    assert found == Batches(12).take(text, ended=True)


@pytest.mark.parametrize("more", [{"output": "end"}, {"action": "log"}])
def test_a_moderator_at_the_end_holds_nothing_back_and_sees_the_whole_answer_once(more: dict[str, Any]) -> None:
    content, asked = own(**more)
    pieces = streamed(content, ["一二三四五六七八九。", BAD, "尾"])
    assert "".join(each.text for each in pieces) == f"一二三四五六七八九。{BAD}尾"
    assert asked.seen == [f"一二三四五六七八九。{BAD}尾"]
    assert pieces[-1].blocked == ("output" in more)
    assert [each.action for each in pieces[-1].reasons] == ["block" if "output" in more else "log"]


def test_a_failure_in_mid_stream_ends_it_if_failures_block() -> None:
    content, _ = own()
    pieces = streamed(content, ["一二三四五六七八九。", "explode over there now. ", "尾"])
    assert [each.blocked for each in pieces] == [False, True, True, True]
    assert pieces[1].reasons[0].detail == "error:RuntimeError"
