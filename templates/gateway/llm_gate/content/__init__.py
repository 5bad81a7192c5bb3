"""Content safety: word lists and remote moderators, on what is asked and on what is answered.

The interface, whole::

    content = Content.from_policy(config, base, secret=read_secret)   # ContentError names every mistake at once
    decision = await content.check_input(texts, key="team-a", model="qwen")
    decision = await content.check_output(texts, key="team-a", model="qwen")      # an answer that is not streamed
    scan = content.output(key="team-a", model="qwen")                             # one per streamed answer
    piece = await scan.feed(index, text)
    piece = await scan.finish(index)
    changed = await content.reload()      # call it every second or so; re-reads word files that changed
    await content.close()                 # ends HTTP sessions

**Configuration** is the ``content`` part of the policy file. Unknown keys are refused. ::

    {"mask": "*",
     "lists": [{"name": "adverts", "file": "words/adverts.txt", "action": "mask"},
               {"name": "blocked_words", "words": ["project-x"], "action": "block"}],
     "moderators": [{"name": "openai", "kind": "openai", "secret": "openai_api_key", "action": "block",
                     "on_error": "block", "timeout_seconds": 5}]}

`config.py` lists every key. ``file`` is relative to ``base``. ``secret(name)`` gives a secret's value (default: the
environment variable ``NAME``); it is asked once, in `from_policy`. ``{}`` is a valid configuration that passes
everything.

**texts** is a sequence in which each item is what the model reads as one text: a string, or a sequence of strings that
are its parts (the content parts of one message), so that a word spread over two parts is found. `Decision.texts` has
the same shape.

**Decision** ``(action, texts, reasons)``. ``action``: ``pass``, ``log`` (pass on, but record), ``mask`` (pass on
``texts``, which are masked), ``block`` (refuse; ``texts`` is empty). Unless it is ``block``, always pass on
``decision.texts``.

**feed(index, text)** takes the next piece of one growing text and gives a ``Piece(text, blocked, reasons)``: the text
that may be released now, which is often shorter or longer than what went in, and never out of order. ``index`` is any
hashable that names the growing text: use one for each choice *and field*, such as ``(0, "content")``,
``(0, "reasoning_content")``, ``(0, "tool_calls", 1)``. **finish(index)** gives the rest and must be called at the end
of each text, before its ``finish_reason`` is passed on. Once a piece is ``blocked``, release its ``text`` (what came
before the word), end the stream with an error, and feed no more: the whole scan is blocked then, all its indices.
``reasons`` are those new with this piece.

**reasons** are ``Reason(source, action, rule, detail)``: the list's or moderator's name, what it wants (``block``,
``mask``, ``log``), and for a list ``rule`` = ``"line:digest"`` of the word (its line in the file, or place among
``words``, and the first 12 hex digits of the SHA-256 of its normalised form), for a moderator the vendor's labels or
``error:<kind>``. They hold nothing of the text, so they may go into logs, the audit record and metrics.
`Content.counts` counts them, for metrics: ``Counter[(direction, source, action)]``.

Nothing here logs, and no text is kept after its scan. All calls are safe to make concurrently from one event loop.
"""

from llm_gate.content.check import Content, Decision, OutputScan, Piece, Reason
from llm_gate.content.config import ContentError

__all__ = ["Content", "ContentError", "Decision", "OutputScan", "Piece", "Reason"]
