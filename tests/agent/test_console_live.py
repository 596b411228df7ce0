"""The console in the record: what pages write reads as Playwright prints it, and the browser's own messages are there."""

import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import ConsoleMessage

from podium_protocol.events import Event
from support.driven import Driven, driving
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def driven() -> AsyncIterator[Driven]:
    async with driving() as running:
        yield running


LINES = {
    "an object": "console.log({a: 1, b: [1, 2]})",
    "nested objects": "console.log({a: {b: {c: 1}}, d: [{e: 1}], f: 'text', g: null, h: undefined})",
    "more properties than are shown": "console.log({a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7})",
    "a getter": "console.log({get a() { throw 1 }})",
    "an array": "console.log([1, 'x', null, undefined, [1], {a: 1}, true])",
    "an array with holes": "console.log([1, , 2, , , 3], Object.assign([1], {named: 2}))",
    "a long array": "console.log(Array.from({length: 500}, (_, i) => i))",
    "a long text within": "console.log({a: 'x'.repeat(5000)}, 'y'.repeat(5000))",
    "a map and a set": "console.log(new Map([[1, {a: 2}]]), new Set([1]), new WeakMap(), new Map([[1, 2]]).entries())",
    "a date and a pattern": "console.log(new Date(0), /x+/gi)",
    "functions": "console.log(function f(a) { return a }, () => 1, class A {}, async () => 1, Math.max)",
    "symbols": "console.log(Symbol('s'), Symbol(), {[Symbol('k')]: 1})",
    "numbers": "console.log(1, 4.5, 1e21, NaN, Infinity, -Infinity, 0.1 + 0.2, 1e-7)",
    "nothing": "console.log(null, undefined, '', true, false); console.log()",
    "instances": "console.log(new (class Foo { x = 1 })(), Object.create(null), new (class extends Array {})(3))",
    "binary": "console.log(new Uint8Array(3), new ArrayBuffer(8), new DataView(new ArrayBuffer(1)))",
    "a proxy": "console.log(new Proxy({a: 1}, {}), new Proxy([1], {}), Promise.resolve(1))",
    "boxed": "console.log(Object('s'), Object(1), Object(true), Object(1n))",
    "window and globals": "console.log(globalThis.JSON, Math, document.styleSheets, location.constructor)",
    "an error": "console.log(new Error('boom'), new TypeError('no'), {e: new Error('in')})",
    "a format": "console.log('%s is %o and %d %c red %i', 'str', {a: 1}, 4.5, 'color: red', {b: 2})",
    "a table": "console.table([{a: 1}, {a: 2}])",
    "groups": "console.group('g'); console.groupCollapsed('h'); console.groupEnd(); console.groupEnd()",
    "counts": "console.count(); console.count('c'); console.countReset('c'); console.count('c')",
    "a trace": "console.trace('here', {a: 1})",
    "an assertion": "console.assert(false, 'no', {a: 1}); console.assert(true, 'not told')",
    "dir": "console.dir({a: 1}); console.dirxml({b: 1})",
    "levels": "console.debug('d'); console.info('i'); console.warn({w: 1}); console.error(['e'])",
    "markup that looks like more": "console.log({'a, b': '{c: 1}'}, ['[', ', ']); console.log('\\u0000 \\u{1f600} \\n')",
}
END = "the end of them"


@pytest.mark.parametrize("script", LINES.values(), ids=LINES)
async def test_a_line_reads_as_playwright_prints_it(driven: Driven, script: str):
    receiver = driven.agent.receiver
    heard: list[str] = []

    def told() -> list[str]:
        # The site has no icon, and the browser says so once.
        return [one.data["text"] for one in receiver.of("console.message") if one.data["kind"] != "network"]

    def listen(message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource"):
            heard.append(message.text)

    driven.page.on("console", listen)
    before = len(told())
    await driven.show(f"<script>{script}; console.log({END!r})</script>")
    await eventually(lambda: END in heard, what="Playwright's own lines")
    await eventually(lambda: END in told()[before:], what="the record's lines")
    driven.page.remove_listener("console", listen)
    assert told()[before:] == [text[:10_000] for text in heard]


async def test_a_node_and_a_time_say_what_they_are(driven: Driven):
    before = len(driven.agent.receiver.texts())
    await driven.show(
        f"<body id=b class='c d'><script>console.log(document.body, document, window); console.log(-0, 10n); console.time('t');"
        f"console.timeEnd('t'); console.log({END!r})</script>"
    )
    texts = await eventually(
        lambda: end[:-1] if (end := driven.agent.receiver.texts()[before:])[-1:] == [END] else [], what="the lines"
    )
    assert texts[0] == "body#b.c.d #document Window"
    assert texts[1] == "-0 10n"  # Playwright says 0 and undefined
    assert re.fullmatch(r"t: [0-9.]+ ms", texts[2])


def own(driven: Driven, kind: str, word: str) -> list[Event]:
    """Messages of the browser's own."""
    return [one for one in driven.agent.receiver.of("console.message", kind=kind) if word in str(one.data["text"])]


MESSAGES = {
    "a missing script": ("<script src=/missing.js></script>", "network", "status of 404 (Not Found)", "error"),
    "a host that is not there": ("<img src=http://nowhere.invalid/>", "network", "net::ERR_NAME_NOT_RESOLVED", "error"),
    "a blocked image": (
        "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><img src=/elsewhere>",
        "security",
        "Content Security Policy directive: \"img-src 'none'\"",
        "error",
    ),
    "another origin": ("<script>fetch('@OTHER@').catch(() => 0)</script>", "javascript", "blocked by CORS policy", "error"),
    "something deprecated": (
        "<script>const x = new XMLHttpRequest(); x.open('GET', '/elsewhere', false); x.send()</script>",
        "deprecation",
        "XMLHttpRequestSynchronous",
        "warning",
    ),
    "a refused WebSocket": (
        "<script>new WebSocket('ws://127.0.0.1:9/')</script>",
        "network",
        "WebSocket connection to 'ws://127.0.0.1:9/' failed",
        "error",
    ),
}


@pytest.mark.parametrize(("html", "kind", "word", "level"), MESSAGES.values(), ids=MESSAGES)
async def test_the_browsers_own_messages_are_entries(driven: Driven, html: str, kind: str, word: str, level: str):
    before = len(own(driven, kind, word))
    await driven.show(html)
    found = await eventually(lambda: own(driven, kind, word)[before:], what=json.dumps([kind, word]))
    assert [one.data["level"] for one in found] == [level]
    assert found[0].data["target_type"] == "page"


async def test_what_a_worker_fails_at_is_told_once(driven: Driven):
    driven.pages["worker.js"] = (
        "setTimeout(() => { throw Error('it') });"
        "new WebSocket('ws://127.0.0.1:9/of-a-worker').onerror = () => { throw Error('of it') }"
    )
    receiver = driven.agent.receiver
    await driven.show("<script>new Worker('/worker.js')</script>")
    await eventually(lambda: any("Error: of it" in text for text in receiver.texts()), what="the worker's last error")
    await driven.show(f"<script>console.log('after', {END!r})</script>")
    await eventually(lambda: f"after {END}" in receiver.texts(), what="what comes after")
    for word in ("Error: of it", "Error: it", "ws://127.0.0.1:9/of-a-worker"):
        told = [one for one in receiver.of("console.message") if word in str(one.data["text"])]
        assert [(one.data["level"], one.data["target_type"]) for one in told] == [("error", "worker")], word
