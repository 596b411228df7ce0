"""Typing, filling, pressing and choosing: what the page's fields hold afterwards, and what it heard."""

import pytest

from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HEARS = """<script>
    window.heard = []; window.untrusted = 0;
    for (const type of ['keydown', 'keypress', 'beforeinput', 'input', 'keyup', 'change', 'submit']) {
        addEventListener(type, (event) => { heard.push([type, event.key ?? event.data ?? '', event.code ?? '']);
            untrusted += !event.isTrusted; }, true);
    }
</script>"""
ODD = "aZ 09 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ äß€ 文字 مرحبا 👋🏽 👩‍👩‍👧‍👦 e\u0301 \u200fx\u00ad"
FIELDS = [
    "<input id=f>",
    "<textarea id=f></textarea>",
    "<div id=f contenteditable></div>",
    "<input type=search id=f>",
    "<input type=password id=f>",
]


async def held(driven: Driven) -> object:
    """The field's content."""
    return await driven.agent.evaluate("f.value ?? f.innerText")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", ["type", "fill"])
async def test_any_text_gets_into_any_field(driven: Driven, kind: str, field: str):
    await driven.show(field)
    await driven.act(kind, "#f", text=ODD)
    assert await held(driven) == ODD


@pytest.mark.parametrize("kind", ["type", "fill"])
@pytest.mark.parametrize("field", FIELDS[1:3])
async def test_lines_stay_lines(driven: Driven, kind: str, field: str):
    await driven.show(field)
    await driven.act(kind, "#f", text="one\ntwo\r\n\nfour")
    text = str(await held(driven))
    assert [line for line in text.split("\n") if line] == ["one", "two", "four"]


async def test_typing_is_heard_as_keys(driven: Driven):
    await driven.show(f"{HEARS}<input id=f>")
    await driven.act("type", "#f", text="a!")
    assert await driven.agent.evaluate("heard") == [
        ["keydown", "a", "KeyA"],
        ["keypress", "a", "KeyA"],
        ["beforeinput", "a", ""],
        ["input", "a", ""],
        ["keyup", "a", "KeyA"],
        ["keydown", "!", "Digit1"],
        ["keypress", "!", "Digit1"],
        ["beforeinput", "!", ""],
        ["input", "!", ""],
        ["keyup", "!", "Digit1"],
    ]
    assert await driven.agent.evaluate("untrusted") == 0
    await driven.act("type", text=" and more")
    assert await held(driven) == "a! and more"


async def test_a_long_text_arrives_whole(driven: Driven):
    text = "".join(chr(97 + n % 26) for n in range(2500))
    await driven.show("<textarea id=f></textarea>")
    await driven.act("type", "#f", text=text, timeout=60)  # 5,000 events: 10 s on a machine with 10 things to do
    assert await held(driven) == text
    await driven.act("fill", "#f", text=text * 40)
    assert await held(driven) == text * 40


FILLED = {
    "text over text": ("<input id=f value='old and long'>", "new", "new"),
    "nothing over text": ("<textarea id=f>old</textarea>", "", ""),
    "nothing over nothing": ("<input id=f>", "", ""),
    "a number": ("<input id=f type=number value=7>", "-12.5", "-12.5"),
    "no number": ("<input id=f type=number value=7>", "", ""),
    "mail": ("<input id=f type=email value=a@b>", "ada@example.org", "ada@example.org"),
    "a date": ("<input id=f type=date>", "2026-02-03", "2026-02-03"),
    "a time": ("<input id=f type=time>", "10:30", "10:30"),
    "date and time": ("<input id=f type=datetime-local>", "2026-02-03T10:30", "2026-02-03T10:30"),
    "a month": ("<input id=f type=month>", "2026-02", "2026-02"),
    "a week": ("<input id=f type=week>", "2026-W07", "2026-W07"),
    "a color": ("<input id=f type=color>", "#FF8800", "#ff8800"),
    "a range": ("<input id=f type=range max=50>", "30", "30"),
    "within a length": ("<input id=f maxlength=3>", "abcdef", "abc"),
    "by its label": ("<label>Name <input id=f></label>", "Ada", "Ada"),
    "rich text": ("<div id=f contenteditable><h1>Old</h1><p>text <b>here</b></p></div>", "new", "new"),
}


@pytest.mark.parametrize("name", FILLED)
async def test_a_field_is_filled(driven: Driven, name: str):
    html, text, result = FILLED[name]
    await driven.show(html)
    await driven.act("fill", "label" if "label" in html else "#f", text=text)
    assert str(await held(driven)).strip() == result


async def test_a_paragraph_of_an_editor_is_filled_alone(driven: Driven):
    await driven.show("<div id=f contenteditable><p>one</p><p id=p>two</p></div>")
    await driven.act("fill", "#p", text="new")
    assert await driven.agent.evaluate("[...f.children].map(one => one.innerText)") == ["one", "new"]


CONTROLLED = """<input id=f><input id=d type=date><script>
    // What React does: its own setter on the element tells its own changes from a person's.
    window.changes = [];
    for (const el of [f, d]) {
        const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
        let known = '';
        Object.defineProperty(el, 'value', { get: () => native.get.call(el), set: (value) => { known = value;
            native.set.call(el, value); } });
        el.addEventListener('input', () => {
            const value = native.get.call(el);
            if (value === known) return;
            changes.push(value);
            native.set.call(el, known = value.toUpperCase());
        });
    }
</script>"""


async def test_a_framework_sees_what_is_filled(driven: Driven):
    await driven.show(CONTROLLED)
    await driven.act("fill", "#f", text="abc")
    await driven.act("fill", "#d", text="2026-02-03")
    assert await driven.agent.evaluate("[changes, f.value]") == [["abc", "2026-02-03"], "ABC"]


PRESSED = {
    "Enter": ("Enter", 13),
    "Tab": ("Tab", 9),
    "Escape": ("Escape", 27),
    "Backspace": ("Backspace", 8),
    "Space": ("Space", 32),
    "ArrowUp": ("ArrowUp", 38),
    "ArrowDown": ("ArrowDown", 40),
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39),
    "Home": ("Home", 36),
    "End": ("End", 35),
    "PageUp": ("PageUp", 33),
    "PageDown": ("PageDown", 34),
    "Delete": ("Delete", 46),
    "a": ("KeyA", 65),
    "Z": ("KeyZ", 90),
    "7": ("Digit7", 55),
    "/": ("Slash", 191),
    "é": ("", 0),
}


async def test_every_key_arrives_under_its_name(driven: Driven):
    await driven.show(
        "<input id=f><script>window.keys = []; f.onkeydown = (event) => { keys.push([event.key, "
        "event.code, event.keyCode]); "
        "event.preventDefault() }</script>"
    )
    for key in PRESSED:
        await driven.act("press", "#f", key=key)
    expected = [[" " if key == "Space" else key, code, number] for key, (code, number) in PRESSED.items()]
    assert await driven.agent.evaluate("keys") == expected


async def test_keys_do_what_they_do(driven: Driven):
    await driven.show(f"{HEARS}<form onsubmit='event.preventDefault()'><textarea id=f>abc</textarea><input id=g></form>")
    await driven.agent.evaluate("f.focus(); f.setSelectionRange(3, 3)")
    for key in ("ArrowLeft", "Backspace", "Home", "Delete", "End", "Enter", "Space", "x"):
        await driven.act("press", key=key)
    assert await held(driven) == "c\n x"
    await driven.act("press", key="Tab")
    assert await driven.agent.evaluate("document.activeElement.id") == "g"
    await driven.act("press", key="Enter")
    assert await driven.agent.evaluate("heard.at(-2)[0]") == "submit"


CHOOSE = (
    "<select id=s {}><option value=a>Apple</option><option value=b>  Big  pear </option><option "
    "value=Apple>Cherry</option></select>"
)


async def test_choosing_from_lists(driven: Driven):
    await driven.show(CHOOSE.format("onchange='window.changed = (window.changed ?? 0) + 1' oninput='window.put = 1'"))
    for value, chosen in (("b", "b"), ("a", "a"), ("Big pear", "b"), ("Apple", "Apple")):  # its value before its label
        await driven.act("select", "#s", value=value)
        assert await driven.agent.evaluate("s.value") == chosen
    assert await driven.agent.evaluate("[changed, put]") == [4, 1]
    nodes = (await driven.tree(interactive=True)).nodes
    await driven.act("select", nodes[0].ref, value="a")
    assert await driven.agent.evaluate("s.value") == "a"
    await driven.show(CHOOSE.format("multiple") + "<label for=s>By label</label>")
    await driven.act("select", "#s", value="a")
    await driven.act("select", "label", value="Cherry")
    assert await driven.agent.evaluate("[...s.selectedOptions].map(one => one.label)") == ["Apple", "Cherry"]


async def test_fields_in_frames_and_shadow_trees_are_typed_into(driven: Driven):
    await driven.show("""<iframe srcdoc="<input id=i>"></iframe><div id=host></div>
        <script>host.attachShadow({mode: 'open'}).innerHTML = '<input id=h>'</script>""")
    await driven.act("type", "#i", text="in a frame")
    await driven.act("fill", "#h", text="in the shade")
    await driven.act("press", "#i", key="!")
    script = "[frames[0].document.querySelector('input').value, host.shadowRoot.querySelector('input').value]"
    assert await driven.agent.evaluate(script) == ["in a frame!", "in the shade"]
