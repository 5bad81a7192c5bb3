"""llm-gate's own tests, asked of the Worker: the same sentences, with workerd in the gateway's place.

A new test of those modules is asked here too. One that is about something that the Worker does not have is named in
`NOT_HERE`, with the reason.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import Home
from tests.worker.harness import worker

MODULES = (
    *("http", "counting", "charged", "edges", "endpoints", "last_event", "money", "odd_upstreams", "numbers", "unseen"),
)
PATIENCE = 60
"""Seconds for one test."""

NOT_HERE: dict[str, tuple[str, ...]] = {
    "its upstream is vLLM or llm-gate, which no Worker stands in front of": (
        "charged::test_a_proxy_of_ours_says_that_it_has_counted_a_call",
        "counting::test_a_prompt_counts_before_the_call_on_every_endpoint",
        "counting::test_no_longer_an_answer_is_asked_for_than_the_model_has_room_for",
        "counting::test_the_upstreams_own_count_is_taken_on_every_endpoint",
        "edges::test_hanging_up_before_the_upstream_counts_does_not_make_a_stream_free",
        "endpoints::test_an_endpoint_can_be_shut_to_a_key",
        "endpoints::test_an_endpoint_is_served_counted_and_sent_on_as_it_is",
        "endpoints::test_an_endpoint_takes_a_request_of_its_keys_limit",
        "endpoints::test_our_own_machine_fetches_no_address_on_any_path",
        "http::test_a_constraint_that_vllm_passes_over_is_refused_with_the_name_that_works",
        "http::test_our_own_machine_fetches_no_address_for_a_caller",
        "http::test_vllms_own_fields_reach_vllm_and_nobody_else",
        "last_event::test_a_connection_whose_last_chunk_comes_apart_is_used_again",
        "last_event::test_a_fault_before_the_first_event_is_an_answer_of_its_own",
        "last_event::test_a_fault_of_our_own_ends_a_stream_in_the_shape_of_its_api",
        "last_event::test_an_upstream_that_does_not_close_behind_its_last_event_keeps_no_place",
        "last_event::test_no_second_head_goes_into_an_answer_that_has_begun",
        "last_event::test_what_an_upstream_says_behind_its_last_event_is_not_taken",
        "money::test_a_model_whose_answers_have_no_price_is_not_served_to_a_budget",
        "money::test_an_endpoint_that_answers_with_numbers_needs_no_price_of_answers",
        "money::test_what_a_cache_may_cost_is_reserved_and_what_it_costs_is_charged",
        "odd_upstreams::test_a_caller_that_reads_slowly_gets_the_whole_stream",
        "odd_upstreams::test_a_character_that_is_cut_in_two_comes_through",
        "odd_upstreams::test_nothing_is_asked_behind_a_request_that_was_answered_before_it_was_read",
    ),
    "speech, ranking and the tokenizer's own paths are not served": (
        "endpoints::test_a_form_that_two_readers_could_read_differently_is_refused",
        "endpoints::test_a_ranking_is_reserved_for_as_often_as_its_query_is_read",
        "endpoints::test_an_endpoint_that_a_vendor_does_not_have_is_said_to_be_missing",
        "endpoints::test_openais_own_client_has_a_talk_written_down",
        "endpoints::test_speech_becomes_text_and_counts_by_its_length",
        "endpoints::test_speech_is_a_form_and_nothing_else_is",
        "endpoints::test_speech_is_reserved_for_before_it_is_sent_on",
        "endpoints::test_what_tokens_say_is_read_before_it_is_told",
        "numbers::test_a_number_of_a_form_is_one_that_json_has",
    ),
    "nothing is looked at for words or by moderators: a spec that asks for it is refused": (
        "endpoints::test_a_word_is_masked_in_each_place_where_a_transcript_says_it",
        "endpoints::test_the_word_filter_reads_both_sides_of_a_comparison",
        "endpoints::test_the_word_filter_reads_what_an_endpoint_is_asked",
        "endpoints::test_the_word_filter_reads_what_was_said_and_what_is_prompted",
        "unseen::test_a_parameter_that_is_called_input_is_no_input_of_a_tool",
        "unseen::test_log_probabilities_which_hold_the_answer_again_are_refused_where_answers_are_checked",
        "unseen::test_text_as_token_numbers_is_refused_where_requests_are_checked",
        "unseen::test_what_stands_beside_the_parts_of_a_message_is_masked_too",
        "unseen::test_what_the_model_reads_is_looked_at_wherever_it_stands",
    ),
    "it reaches into llm-gate's process, its files or its metrics": (
        "charged::test_what_an_audit_record_has_of_an_answer_is_of_the_one_that_came",
        "edges::test_an_answer_that_cannot_be_settled_is_answered_and_settled_later",
        "edges::test_chores_go_on_after_one_has_failed",
        "edges::test_while_the_ledger_cannot_be_read_nobody_is_let_in",
        "edges::test_while_the_ledger_is_locked_nothing_is_admitted_and_the_caller_is_told_to_come_back",
        "endpoints::test_a_models_own_row_is_told_to_whoever_may_ask_it",
        "http::test_a_changed_file_is_in_force_with_the_next_request",
        "http::test_no_prompt_answer_or_key_is_in_the_ledger_or_the_metrics",
        "http::test_only_our_own_headers_come_back",
    ),
    "it tells the caller's address as Caddy does: see test_worker": (
        "edges::test_addresses_of_both_kinds_are_read_as_what_they_are",
        "http::test_a_key_works_from_its_addresses_only",
    ),
    "its caller hangs up by closing its half, which workerd cannot tell: see test_worker": (
        "http::test_a_caller_that_hangs_up_ends_the_upstreams_work_and_is_settled",
    ),
    "it waits for bodies to be read one by one; each Worker reads what it is sent, up to 4 MiB": (
        "edges::test_bodies_under_way_fill_no_more_memory_than_there_is_for_them",
    ),
    "it expects streams to begin after all refusals are told: see test_worker": (
        "counting::test_parallel_streams_cannot_pass_a_token_limit",
    ),
    "nothing is ever asked twice of one upstream": ("charged::test_a_request_that_goes_out_twice_counts_twice",),
    "workerd does not tell a port that is closed from a connection that broke; Cloudflare says 52x": (
        "charged::test_an_upstream_that_nobody_reached_takes_nothing",
    ),
}
LEFT_OUT = {each for names in NOT_HERE.values() for each in names}
OTHERWISE = {
    # The runtime writes a path anew before the Worker sees it: these are the endpoint itself.
    ("http::test_no_other_path_method_or_spelling_is_served", "path"): ("/v1/./chat", "/v1/chat/../chat"),
    # The last of two names counts, for us and in what is written anew for the upstream.
    ("http::test_a_body_that_two_readers_could_read_differently_is_refused", "raw"): (b'{"model":"plain","messages"',),
}
"""Single cases that are not as they are at llm-gate, by how the argument begins."""


def rules() -> Iterator[tuple[str, Any]]:
    """Every test of those modules."""
    for name in MODULES:
        module = importlib.import_module(f"tests.gateway.test_{name}")
        for rule, test in vars(module).items():
            if rule.startswith("test_") and inspect.iscoroutinefunction(test):
                yield f"{name}::{rule}", test


def arguments_of(test: Any) -> Iterator[dict[str, Any]]:
    """What a test is called with, for each of its cases."""
    rows = []
    for mark in (each for each in getattr(test, "pytestmark", ()) if each.name == "parametrize"):
        names = mark.args[0] if isinstance(mark.args[0], tuple | list) else mark.args[0].split(",")
        values = [each.values if isinstance(each, type(pytest.param())) else each for each in mark.args[1]]
        several = [each if len(names) > 1 or type(each).__name__ == "ParameterSet" else (each,) for each in values]
        rows.append([dict(zip(map(str.strip, names), each, strict=True)) for each in several])
    for chosen in itertools.product(*rows):
        yield {name: value for row in chosen for name, value in row.items()}


def differs(rule: str, arguments: dict[str, Any]) -> bool:
    """Whether a case is one that the Worker does not have."""
    if any(isinstance(each, str) and each in ("vllm", "gateway") for each in arguments.values()):
        return True
    return any(which == rule and arguments[name].startswith(begins) for (which, name), begins in OTHERWISE.items())


CASES = [
    pytest.param(test, arguments, id=f"{rule}-{place}")
    for rule, test in rules()
    if rule not in LEFT_OUT
    for place, arguments in enumerate(arguments_of(test))
    if not differs(rule, arguments)
]


@pytest.mark.parametrize(("rule", "arguments"), CASES)
async def test_the_worker_keeps_what_llm_gate_promises(
    rule: Any,
    arguments: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(Home, "here", worker)
    fixtures = [each for each in inspect.signature(rule).parameters if each not in arguments]
    await asyncio.wait_for(rule(**{each: request.getfixturevalue(each) for each in fixtures}, **arguments), PATIENCE)


def test_what_is_left_out_is_there_at_llm_gate() -> None:
    names = [rule for rule, _ in rules()]
    assert LEFT_OUT | {rule for rule, _ in OTHERWISE} <= set(names)
    assert len(CASES) > 300
