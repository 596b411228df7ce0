"""When an action waits, and with what words it gives up."""

import asyncio

import pytest

from podium_protocol.errors import AgentErrorCode
from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

USABLE, FOUND, REQUEST = AgentErrorCode.ELEMENT_NOT_USABLE, AgentErrorCode.ELEMENT_NOT_FOUND, AgentErrorCode.INVALID_REQUEST
MOVING = "Promise.all(document.getAnimations().map((one) => one.ready)).then(() => 0)"
"""Animations begin some frames late on a busy machine, and until then all is still."""
REFUSED = {
    "nothing there": ("click", "#none", {}, "<p>", FOUND, 'nothing on the page matches "#none"'),
    "no selector": ("click", "a[", {}, "<p>", REQUEST, '"a[" is neither a CSS selector nor a ref'),
    "no such ref": ("click", "e99", {}, "<p>", AgentErrorCode.REF_GONE, "there is no ref e99 on this page; read its tree again"),
    "display none": ("click", "b", {}, "<b hidden>x</b>", USABLE, "<b> is not visible (it has display: none), after "),
    "invisible": (
        "hover",
        "b",
        {},
        "<b style='visibility: hidden'>x</b>",
        USABLE,
        "<b> is not visible (it has visibility: hidden)",
    ),
    "in a closed dialog": (
        "click",
        "b",
        {},
        "<dialog id=d><b>x</b></dialog>",
        USABLE,
        "<b> is not visible (it is inside the closed dialog <dialog#d>)",
    ),
    "in something hidden": (
        "click",
        "b",
        {},
        "<div class=menu hidden><b>x</b></div>",
        USABLE,
        "<b> is not visible (it is inside <div.menu>, which has display: none)",
    ),
    "in closed details": (
        "click",
        "b",
        {},
        "<details id=m><summary>More</summary><b>x</b></details>",
        USABLE,
        "<b> is not visible (it is inside the closed <details#m>)",
    ),
    "no size": ("click", "b", {}, "<b></b>", USABLE, "<b> is not visible (its size is 0 x "),
    "disabled": ("click", "#x", {}, "<button id=x disabled>x</button>", USABLE, "<button#x> is disabled"),
    "disabled by a fieldset": (
        "fill",
        "input",
        {"text": "x"},
        "<fieldset disabled><input></fieldset>",
        USABLE,
        "<input> is disabled",
    ),
    "disabled for readers": (
        "click",
        "b",
        {},
        "<div aria-disabled=true><b class='one two three'>x</b></div>",
        USABLE,
        "<b.one.two> is disabled",
    ),
    "covered": (
        "click",
        "button",
        {},
        "<button>x</button><div class=veil style='position: fixed; inset: 0'></div>",
        USABLE,
        "<button> is covered by <div.veil>",
    ),
    "covered within a frame": (
        "click",
        "button",
        {},
        "<iframe srcdoc=\"<button>x</button><p id=v style='position: fixed; inset: 0; margin: 0'>\"></iframe>",
        USABLE,
        "<button> is covered by <p#v>",
    ),
    "out of reach": (
        "click",
        "button",
        {},
        "<button style='position: fixed; left: -500px'>x</button>",
        USABLE,
        "cannot be scrolled into view",
    ),
    "never still": (
        "click",
        "button",
        {},
        "<style>@keyframes m { to { translate: 300px } }</style><button style='animation: m 1s linear infinite'>x</button>",
        USABLE,
        "<button> is still moving",
    ),
    "about to move": (
        "click",
        "button",
        {},
        "<div><button>x</button></div><script>const move = document.querySelector('div').animate({ translate: [0, 0] }, 1e9);"
        "const again = () => { move.pause(); move.play(); requestAnimationFrame(again); }; again();</script>",
        USABLE,
        "<button> is still moving",
    ),
    "beginning to move": (
        "click",
        "button",
        {},
        "<div><button>x</button></div><script>const move = document.querySelector('div').animate({ translate: [0, '99px'] }, 1e3);"
        "const again = () => { move.startTime = document.timeline.currentTime; requestAnimationFrame(again); }; again();</script>",
        USABLE,
        "<button> is still moving",
    ),
    "about to move, and then where it was": (
        "click",
        "button",
        {},
        "<div><button>x</button></div><script>const move = document.querySelector('div').animate({ translate: [0, '99px'] }, 1e3);"
        "let n = 0; const again = () => { move.pause(); move.currentTime = 9 * (n >> 1) % 999; if (n++ % 2 === 0) move.play();"
        "requestAnimationFrame(again); }; again();</script>",
        USABLE,
        "<button> is still moving",
    ),
    "set back in each frame": (
        "click",
        "button",
        {},
        "<div><button>x</button></div><script>const move = document.querySelector('div').animate({ translate: [0, '99px'] }, 1e3);"
        "const again = () => { move.currentTime = 500; requestAnimationFrame(again); }; again();</script>",
        USABLE,
        "<button> is still moving",
    ),
    "not a field": ("fill", "p", {"text": "x"}, "<p>x</p>", USABLE, "<p> is not a field that can be filled"),
    "a checkbox": ("fill", "input", {"text": "x"}, "<input type=checkbox>", USABLE, "<input> is not a field that can be filled"),
    "read-only": ("fill", "input", {"text": "x"}, "<input readonly>", USABLE, "<input> is read-only"),
    "read-only for keys": (
        "type",
        "input",
        {"text": "x"},
        "<textarea readonly></textarea><input readonly>",
        USABLE,
        "<input> is read-only",
    ),
    "no number": ("fill", "input", {"text": "x"}, "<input type=number>", USABLE, '<input> of type number does not take "x"'),
    "no date": ("fill", "input", {"text": "3rd"}, "<input type=date>", USABLE, '<input> of type date does not take "3rd"'),
    "beyond a range": (
        "fill",
        "input",
        {"text": "900"},
        "<input type=range max=9>",
        USABLE,
        '<input> of type range does not take "900"',
    ),
    "no focus": ("focus", "p", {}, "<p>x</p>", USABLE, "<p> does not take the focus"),
    "no focus to type": ("type", "p", {"text": "x"}, "<p>x</p>", USABLE, "<p> does not take the focus"),
    "not a list": ("select", "p", {"value": "x"}, "<p>x</p>", USABLE, "<p> is not a list to choose from"),
    "not in the list": (
        "select",
        "select",
        {"value": "z"},
        "<select><option value=1>a<option>b</select>",
        USABLE,
        '<select> has no option "z"; it has "a", "b"',
    ),
    "not in a long list": (
        "select",
        "select",
        {"value": "z"},
        f"<select>{''.join(f'<option>{n}' for n in range(50))}</select>",
        USABLE,
        '"18", "19" and 30 more',
    ),
    "a disabled option": (
        "select",
        "select",
        {"value": "a"},
        "<select><option disabled>a</select>",
        USABLE,
        '<select> has the option "a", but it is disabled',
    ),
    "no key": ("press", None, {"key": "Bogus"}, "<p>", REQUEST, "key must be one character or one of Enter, Tab"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_action_is_refused_in_words(driven: Driven, name: str):
    kind, target, fields, html, code, words = REFUSED[name]
    await driven.show(html)
    await driven.page.evaluate(MOVING)
    refused, message = await driven.refused(kind, target, **fields)
    assert refused is code
    assert words in message


WAITED = {
    "until it is visible": "<button hidden onclick='window.pressed = 1'>b</button>",
    "until it is enabled": "<button disabled onclick='window.pressed = 1'>b</button>",
    "until nothing covers it": "<button onclick='window.pressed = 1'>b</button><div id=veil style='position: fixed; "
    "inset: 0'></div>",
    "until it is in its place": "<button style='position: fixed; left: -500px' onclick='window.pressed = 1'>b</button>",
    "until it is still": "<style>@keyframes m { to { translate: 300px } }</style>"
    "<button style='animation: m 1s linear infinite' onclick='window.pressed = 1'>b</button>",
}
READY = (
    "const b = document.querySelector('button'); b.hidden = b.disabled = false; b.style = ''; "
    "document.querySelector('#veil')?.remove()"
)


@pytest.mark.parametrize("name", WAITED)
async def test_an_action_waits(driven: Driven, name: str):
    await driven.show(WAITED[name])
    await driven.page.evaluate(MOVING)
    async with asyncio.TaskGroup() as group:
        acting = group.create_task(driven.act("click", "button"))
        # Some frames later, seen by the page itself: the action has looked by then and found it wanting.
        script = f"let n = 0; const tick = () => {{ if (++n < 12) requestAnimationFrame(tick); else {{ {READY} }} }}; tick()"
        await driven.page.evaluate(f"() => {{ {script} }}")
        await acting
    assert await driven.agent.evaluate("window.pressed") == 1


async def test_an_element_that_goes_while_it_is_waited_for_is_gone(driven: Driven):
    await driven.show("<button disabled>b</button>")
    [button] = (await driven.tree()).nodes
    for target, code in ((button.ref, AgentErrorCode.REF_GONE), ("button", FOUND)):
        await driven.page.evaluate("document.body.innerHTML ||= '<button disabled>b</button>'")
        async with asyncio.TaskGroup() as group:
            acting = group.create_task(driven.refused("click", target, timeout=10))
            await driven.page.evaluate(
                "new Promise(done => { let n = 0; const t = () => ++n < 12 ? requestAnimationFrame(t) : done(); t() })"
            )
            await driven.page.evaluate("document.body.innerHTML = ''")
            assert (await acting)[0] is code
