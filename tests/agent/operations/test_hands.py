"""Clicking, hovering and scrolling as a person does it: where, in what order, and what the page hears."""

from typing import Any

import pytest

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Html, PageSize, Text
from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HEARS = """<script>
    window.heard = [];
    const TYPES = ['pointerover', 'pointerdown', 'mousedown', 'focus', 'pointerup', 'mouseup', 'click', 'dblclick',
        'change', 'input'];
    for (const type of TYPES) {
        addEventListener(type, (event) => heard.push([type, event.composedPath()[0].id ?? '', event.isTrusted]), true);
    }
</script>"""


async def heard(driven: Driven) -> list[tuple[str, str]]:
    """What the page heard, all of it trusted, since last asked."""
    events = await driven.agent.evaluate("heard.splice(0)")
    assert isinstance(events, list)
    assert all(trusted for _, _, trusted in events), events
    return [(kind, target) for kind, target, _ in events]


async def clicked(driven: Driven) -> list[str]:
    """Ids of what was clicked since last asked."""
    return [target for kind, target in await heard(driven) if kind == "click"]


async def test_a_click_is_heard_as_a_persons_is(driven: Driven):
    await driven.show(f"{HEARS}<button id=b>Press</button>")
    await driven.act("click", "#b")
    kinds = [kind for kind, target in await heard(driven) if target == "b"]
    assert kinds == ["pointerover", "pointerdown", "mousedown", "focus", "pointerup", "mouseup", "click"]
    await driven.act("click", "#b")
    assert await clicked(driven) == ["b"]


async def test_a_click_at_coordinates_meets_what_is_there(driven: Driven):
    await driven.show(
        f"{HEARS}<body style='margin: 0'><button id=b style='position: absolute; left: 300px; top: 200px'>Press</button>"
    )
    await driven.act("click", x=310, y=210)
    await driven.act("click", x=10.5, y=20)
    assert await clicked(driven) == ["b", ""]
    await driven.act("hover", x=310, y=210)
    assert await driven.agent.evaluate("document.querySelector('#b').matches(':hover')")


PLACES = {
    "far below": "<div style='height: 5000px'></div><button id=b>b</button><div style='height: 5000px'></div>",
    "far right": "<div style='width: 9000px; text-align: right'><button id=b>b</button></div>",
    "in a box that scrolls": "<div style='height: 100px; overflow: auto'><p style='height: 900px'></p><button "
    "id=b>b</button></div>",
    "in a box in a box": "<div style='height: 90px; overflow: scroll'><div style='height: 3000px'></div><div "
    "style='height: 80px; overflow: "
    "hidden auto'><p style='height: 700px'></p><button id=b>b</button><p style='height: 700px'></p></div></div>",
    "smoothly scrolled to": "<style>html { scroll-behavior: smooth }</style><div style='height: 5000px'></div><button "
    "id=b>b</button>",
    "beneath a header that sticks": "<header style='position: sticky; top: 0; height: 300px; background: silver'>H</header>"
    "<div style='height: 2000px'><div style='height: 20px'></div><button id=b>b</button></div><script>scrollTo(0, 250)</script>",
    "between bars that stick": "<div style='position: fixed; top: 0; height: 45%; width: 100%; background: "
    "red'></div><div style='position: "
    "fixed; bottom: 0; height: 45%; width: 100%; background: blue'></div><div style='height: 2000px'></div><button id=b>b</button>"
    "<div style='height: 2000px'></div>",
    "higher than the view": "<button id=b style='height: 4000px'>b</button>",
    "larger than the view": "<button id=b style='height: 4000px; width: 5000px'>b</button>",
    "a link over two lines": "<p style='width: 200px'>some words here <a id=b href='#x'>and a link that is broken</a> words</p>",
    "a link around a block": "<a id=b href='#x'><div id=b style='height: 40px'></div></a>",
    "with its child on top": "<button id=b><span id=b style='display: block; width: 90px; height: 40px'>child</span></button>",
    "turned and scaled": "<div style='transform: rotate(30deg) scale(.5); margin: 200px'><button id=b>b</button></div>",
    "of a fixed bar": "<div style='height: 9000px'></div><div style='position: fixed; bottom: 0'><button id=b>b</button></div>",
    "partly outside the view": "<button id=b style='position: fixed; left: -80px; top: 5px; width: 100px'>b</button>",
    "a picture's area": "<map name=m><area id=b href='#x' shape=rect coords=0,0,50,50></map><img usemap=#m width=50 "
    "height=50 src='data:,'>",
    "without pointer events on its icon": "<button id=b><i style='pointer-events: none'>icon</i></button>",
    "a checkbox within a label that covers it": "<label style='position: relative'><input type=checkbox id=b style='opacity: .1'>"
    "<span id=b style='position: absolute; inset: 0; background: green'></span></label>",
}


@pytest.mark.parametrize("name", PLACES)
async def test_a_click_finds_its_way_to_a_button(driven: Driven, name: str):
    await driven.show(f"{HEARS}{PLACES[name]}")
    await driven.act("click", "#b")
    assert set(await clicked(driven)) == {"b"}


async def test_a_click_reaches_into_frames_and_open_shadow_trees(driven: Driven):
    inner = "<div style='height: 900px'></div><button id=deep onclick='top.pressed = this.id'>d</button>"
    await driven.show(f"""<div style="height: 1500px"></div>
        <iframe style="border: 9px solid; padding: 13px; height: 90px" srcdoc="{inner}"></iframe>
        <div id=host></div><div id=shut></div><script>
            host.attachShadow({{mode: 'open'}}).innerHTML = "<button id=shady onclick='window.pressed = this.id'>s</button>";
            shut.attachShadow({{mode: 'closed'}}).innerHTML = "<button id=closed>c</button>";
        </script>""")
    for name in ("deep", "shady"):
        await driven.act("click", f"#{name}")
        assert await driven.agent.evaluate("window.pressed") == name
    code, message = await driven.refused("click", "#closed")
    assert (code, message) == (AgentErrorCode.ELEMENT_NOT_FOUND, 'nothing on the page matches "#closed"')


async def test_a_label_takes_its_checkbox_along(driven: Driven):
    await driven.show(f"{HEARS}<label id=l for=c>Agree</label><input type=checkbox id=c><input type=radio id=r>")
    await driven.act("click", "#l")
    assert await driven.agent.evaluate("c.checked") is True
    await driven.act("click", "#c")
    assert await driven.agent.evaluate("c.checked") is False
    await driven.act("click", "#r")
    assert await driven.agent.evaluate("r.checked") is True


async def test_a_hover_is_seen_by_style_and_script(driven: Driven):
    await driven.show(
        "<style>#menu { display: none } #m:hover + #menu, #menu:hover { display: block }</style>"
        "<div id=m onmouseenter='window.entered = event.isTrusted'>Menu</div><div id=menu><button "
        "onclick='window.chosen = 1'>Item"
        "</button></div><p id=away>away</p>"
    )
    await driven.act("hover", "#m")
    assert await driven.agent.evaluate("window.entered && getComputedStyle(menu).display") == "block"
    await driven.act("click", "#menu button")
    assert await driven.agent.evaluate("window.chosen") == 1
    await driven.act("hover", "#away")
    assert await driven.agent.evaluate("getComputedStyle(menu).display") == "none"


async def test_a_click_that_leads_to_another_page_waits_for_it(driven: Driven):
    await driven.show("<a href='/large'>Large</a>")
    acted = await driven.act("click", "a")
    assert acted.url.endswith("/large")
    assert await driven.agent.evaluate("document.readyState") == "complete"
    await driven.show("<form action='/elsewhere'><input name=q><button>Go</button></form>")
    assert (await driven.act("press", "input", key="Enter")).url.endswith("/elsewhere?q=")
    await driven.show("<button>b</button><script>addEventListener('click', () => location.href = '/elsewhere')</script>")
    assert (await driven.act("click", "button")).url.endswith("/elsewhere")


HIT: dict[str, tuple[Any, ...]] = {
    "a button": (
        "click",
        "#b",
        {},
        "<button id=b class='big red one'>Buy <b>it</b></button>",
        'button "Buy it" <button#b.big.red>',
    ),
    "what has no role": ("click", "div", {}, "<div class=card>Card</div>", "<div.card>"),
    "a field with a label": ("fill", "input", {"text": "x"}, "<label>Name <input></label>", 'textbox "Name" <input>'),
    "a list": ("select", "select", {"value": "a"}, "<select aria-label=Size><option>a</select>", 'combobox "Size" <select>'),
    "a point": (
        "click",
        None,
        {"x": 30, "y": 30},
        "<button style='position: fixed; inset: 0'>All</button>",
        'button "All" <button>',
    ),
    "the focus": ("press", None, {"key": "a"}, "<input aria-label=Here autofocus>", 'textbox "Here" <input>'),
    "what was scrolled to": ("scroll", "a", {}, "<a href=#x>Link</a>", 'link "Link" <a>'),
    "no element": ("scroll", None, {"scroll_y": 10}, "<p>", None),
}


@pytest.mark.parametrize("name", HIT)
async def test_an_answer_says_what_was_hit(driven: Driven, name: str):
    kind, target, fields, html, hit = HIT[name]
    await driven.show(html)
    assert (await driven.act(kind, target, **fields)).element == hit


NAMED = ["hasFocus", "visibilityState", "createRange", "createElement", "createDocumentFragment", "scrollingElement", "readyState"]
NAMED += ["elementFromPoint", "getAnimations", "activeElement", "defaultView", "styleSheets", "adoptedStyleSheets", "contentType"]


async def test_elements_named_like_what_hands_need_are_in_nobodys_way(driven: Driven):
    pictures = "".join(f"<img name={name} alt='' width=1><form name={name}></form>" for name in NAMED)
    field = "<input aria-label=Field><p contenteditable role=textbox>old</p><button onclick='count++'>Go</button>"
    await driven.show(f"{pictures}{field}<select><option>a<option>b</select><p style='height: 3000px'><script>count = 0</script>")
    await driven.act("click", "button")
    await driven.act("click", x=5, y=5)
    await driven.act("fill", "input", text="x")
    await driven.act("fill", "[contenteditable]", text="new")
    await driven.act("select", "select", value="b")
    await driven.act("scroll", scroll_y=300)
    seen = "[count, document.querySelector('input').value, document.querySelector('[contenteditable]').textContent, scrollY]"
    assert await driven.agent.evaluate(seen) == [1, "x", "new", 300]


OWN_PARTS = ["select", "textarea", "input", "button", "meter", "progress", "output", "slot", "details", "iframe", "img", "canvas"]
OWN_PARTS += ["label", "option", "fieldset", "table", "object", "video", "form"]


@pytest.mark.parametrize("namespace", ["http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg", ""])
async def test_elements_of_another_namespace_have_no_parts_of_html(driven: Driven, namespace: str):
    making = f"""for (const tag of {OWN_PARTS}) {{
        const one = document.createElementNS('{namespace}', tag);
        one.textContent = `this is ${{tag}}`;
        one.setAttribute('style', 'display: block');
        document.body.append(one);
    }}"""
    await driven.show(f"<h1>Here</h1><script>{making}</script>")
    assert "Here" in str(await driven.tree())
    for name, model in (("text", Text()), ("html", Html()), ("html", Html(inline=False)), ("page-size", PageSize())):
        answer = await driven.agent.call("POST", f"/operations/{name}", model)
        assert answer.status_code == 200, answer.text
    if namespace.endswith("MathML"):
        for tag in OWN_PARTS:
            await driven.act("click", f"body > {tag}")


async def test_scrolling_the_page_and_boxes(driven: Driven):
    await driven.show(
        "<div id=box style='height: 100px; overflow: auto'><p id=p style='height: "
        "900px'>p</p></div><div style='height: 3000px'></div>"
        "<button id=last>last</button><script>window.events = 0; addEventListener('scroll', () => "
        "events++)</script>"
    )
    await driven.act("scroll", scroll_y=400)
    assert await driven.agent.evaluate("[scrollY, events > 0]") == [400, True]
    await driven.act("scroll", scroll_y=-150.0)
    assert await driven.agent.evaluate("scrollY") == 250
    await driven.act("scroll", "#last")
    assert await driven.agent.evaluate("last.getBoundingClientRect().bottom <= innerHeight")
    await driven.act("scroll", "#p", scroll_y=300)
    assert await driven.agent.evaluate("box.scrollTop") == 300
    await driven.act("scroll", scroll_y=1_000_000)
    assert await driven.agent.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
    await driven.show(
        "<body style='margin: 0; height: 100vh; overflow: hidden'><main style='height: 100%; overflow: auto'><p "
        "style='height: 9000px'>"
    )
    await driven.act("scroll", scroll_y=700)
    assert await driven.agent.evaluate("document.querySelector('main').scrollTop") == 700
