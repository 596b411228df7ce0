"""What callers may ask of a tree, and pages that would rather not be read."""

import pytest

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Node
from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


LIAR = """<title>Liar</title><button>True</button><p>Text<script>
    Array.prototype.push = Array.prototype.map = Map.prototype.get = Set.prototype.has = () => { throw 1 };
    JSON.stringify = JSON.parse = String.prototype.trim = () => 'lie';
    Object.prototype.code = Object.prototype.behind = 'lie';
    Element.prototype.getAttribute = Element.prototype.getBoundingClientRect = Document.prototype.querySelector = () => null;
    document.querySelector = document.querySelectorAll = window.getComputedStyle = () => null;
    Object.defineProperty(Element.prototype, 'localName', { get: () => 'lie' });
    Object.defineProperty(Document.prototype, 'title', { get: () => 'lie' });
    window.requestAnimationFrame = window.Promise = () => 0; performance.now = () => 0;
    window.clicks = 0; addEventListener('click', () => clicks++);
</script>"""


def lines(nodes: list[Node]) -> list[tuple[int, str, str]]:
    return [(node.depth, node.role, node.name) for node in nodes]


async def test_only_what_a_hand_can_use(driven: Driven):
    await driven.show(
        "<h1>Title</h1><ul><li><a href=#a>Link</a> text<li><label>Field <input value=v></label></ul><p>more<button>Do</button>"
    )
    tree = await driven.tree(interactive=True)
    assert lines(tree.nodes) == [(0, "link", "Link"), (0, "textbox", "Field"), (0, "button", "Do")]
    assert tree.nodes[1].value == "v"


async def test_only_so_deep(driven: Driven):
    await driven.show("<ul><li><a href=#a><b>Bold</b> link</a></ul>top")
    assert lines((await driven.tree(depth=0)).nodes) == [(0, "list", ""), (0, "StaticText", "top")]
    whole = [(0, "list", ""), (1, "listitem", ""), (2, "link", "Bold link"), (3, "strong", ""), (4, "StaticText", "Bold")]
    await driven.show("<ul><li><a href=#a><strong>Bold</strong> link</a></ul>top")
    deep = lines((await driven.tree()).nodes)
    assert deep == [*whole, (3, "StaticText", "link"), (0, "StaticText", "top")]
    assert lines((await driven.tree(depth=2)).nodes) == [*whole[:3], (0, "StaticText", "top")]


async def test_a_form_and_a_document_cannot_hide_behind_names(driven: Driven):
    names = ["children", "getAttribute", "hasAttribute", "localName", "parentNode", "parentElement", "firstChild"]
    names += ["shadowRoot", "matches", "closest", "nodeType", "id", "assignedSlot", "ownerDocument"]
    form = "".join(f"<input name={name} value={name}>" for name in names)
    images = "".join(
        f"<img name={name} alt=''>" for name in ("body", "querySelector", "querySelectorAll", "title", "documentElement")
    )
    await driven.show(f"<title>Real</title><form aria-label=Clobbered>{form}<button type=button>Go</button></form>{images}")
    tree = await driven.tree()
    assert tree.title == "Real"
    assert lines(tree.nodes) == [(0, "form", "Clobbered"), *((1, "textbox", "") for _ in names), (1, "button", "Go")]
    await driven.act("click", "form button")
    await driven.act("click", tree.nodes[-1].ref)
    await driven.act("hover", "form")


async def test_a_page_that_changes_what_its_language_does_is_read_all_the_same(driven: Driven):
    await driven.show(LIAR)
    tree = await driven.tree()
    assert (tree.title, lines(tree.nodes)) == ("Liar", [(0, "button", "True"), (0, "paragraph", ""), (1, "StaticText", "Text")])
    await driven.act("click", tree.nodes[0].ref)
    await driven.act("click", "button")
    assert await driven.agent.evaluate("clicks") == 2


async def test_what_differs_from_playwright_on_purpose(driven: Driven):
    await driven.show("""<div style="visibility: hidden">unseen <button style="visibility: visible">Seen</button></div>
        <div inert>out of use <button>Inert</button></div>
        <input autocomplete="current-password" value="shown but secret" aria-label=Mine><input type=password aria-label=Empty>
        <select><optgroup label=Kind><option label=Short>Long</option></optgroup></select>""")
    nodes = (await driven.tree()).nodes
    assert lines(nodes) == [
        (0, "button", "Seen"),
        (0, "textbox", "Mine"),
        (0, "textbox", "Empty"),
        (0, "combobox", ""),
        (1, "group", "Kind"),
        (2, "option", "Short"),
    ]
    assert [node.value for node in nodes[1:4]] == ["••••••••", "", "Short"]


async def test_half_a_letter_does_not_spoil_a_tree(driven: Driven):
    await driven.show("""<button>x</button><input aria-label=f><p>p<script>
        document.querySelector('button').textContent = 'a\\ud800'; document.querySelector('input').value = '\\udc00b';
        document.querySelector('p').firstChild.data = 'c\\udfff'; document.title = '\\ud801';
    </script>""")
    tree = await driven.tree()
    assert [node.name for node in tree.nodes if node.role != "paragraph"] == ["a�", "f", "c�"]
    assert (tree.nodes[1].value, tree.title) == ("�b", "�")


async def test_what_has_the_focus_says_so(driven: Driven):
    await driven.show("<input><input id=here><button>b</button>")
    await driven.act("focus", "#here")
    assert [node.focused for node in (await driven.tree()).nodes] == [None, True, None]


async def test_a_ref_is_of_one_element_in_all_trees_of_all_documents(driven: Driven):
    page = "<button onclick=\"document.title = 'pressed'\">One</button><p><button>Two</button>"
    await driven.show(page)
    there = driven.page.url
    whole = await driven.tree()
    [one, two] = (await driven.tree(interactive=True)).nodes
    assert {one.ref, two.ref} < {node.ref for node in whole.nodes}
    code, message = await driven.refused("click", "e99999")
    assert (code, message) == (AgentErrorCode.REF_GONE, "there is no ref e99999 on this page; read its tree again")
    await driven.agent.evaluate("document.querySelectorAll('button')[1].remove()")
    code, message = await driven.refused("click", two.ref)
    assert (code, message) == (AgentErrorCode.REF_GONE, f"the element of {two.ref} is no longer on the page; read its tree again")
    await driven.show(page)
    assert not {node.ref for node in (await driven.tree()).nodes} & {node.ref for node in whole.nodes}
    code, message = await driven.refused("click", one.ref)
    assert message == f"there is no ref {one.ref} on this page; read its tree again"
    assert (code, await driven.page.title()) == (AgentErrorCode.REF_GONE, "")
    async with driven.agent.client("/cdp/page") as client:  # back, perhaps to a document that was only put aside
        await client.command("Runtime.evaluate", {"expression": "history.back()"})
        await driven.page.wait_for_url(there, wait_until="commit")  # one that was put aside loads no more
    assert (await driven.refused("click", one.ref))[0] is AgentErrorCode.REF_GONE


async def test_refs_stay_while_elements_come_and_go(driven: Driven):
    await driven.show(
        "<h1>Title</h1>before <b>bold</b> after<ul><li>x <button>Keep</button></ul><p id=p>generated</p>"
        "<style>h1::before { content: 'a'; display: block } h1::after { content: 'b' }</style>"
    )
    before = await driven.tree()
    assert [node.ref for node in (await driven.tree()).nodes] == [node.ref for node in before.nodes]
    assert len({node.ref for node in before.nodes}) == len(before.nodes)
    kept = "const li = document.querySelector('li'); window.kept = li"
    await driven.agent.evaluate(f"{kept}; li.remove(); document.body.prepend(document.createElement('button'))")
    without = await driven.tree()
    [new] = {node.ref for node in without.nodes} - {node.ref for node in before.nodes}
    assert new == without.nodes[0].ref
    await driven.agent.evaluate("document.querySelector('ul').append(window.kept)")
    assert {node.ref for node in (await driven.tree()).nodes} == {node.ref for node in before.nodes} | {new}


async def test_a_text_that_is_replaced_takes_its_ref_with_it(driven: Driven):
    await driven.show("<div id=a>one <b>two</b></div><div>three</div>")
    [text] = (await driven.tree()).nodes
    assert (text.role, text.name) == ("StaticText", "one two three")
    await driven.act("hover", text.ref)
    await driven.agent.evaluate("a.innerHTML = 'other'")
    assert (await driven.refused("click", text.ref))[0] is AgentErrorCode.REF_GONE


async def test_refs_of_elements_that_are_gone_do_not_gather(driven: Driven):
    await driven.show("<main></main>")
    [main] = (await driven.tree()).nodes
    many = "'<button>b</button>'.repeat(1500)"
    firsts = []
    for _ in range(4):
        await driven.agent.evaluate(f"document.querySelector('main').innerHTML = {many}")
        firsts.append((await driven.tree()).nodes[1])
        await driven.tree()
    await driven.agent.evaluate("document.querySelector('main').replaceChildren()")
    assert [node.ref for node in (await driven.tree()).nodes] == [main.ref]
    assert (await driven.refused("click", firsts[0].ref))[1] == f"there is no ref {firsts[0].ref} on this page; read its tree again"


async def test_a_ref_survives_a_page_that_moves_things_about(driven: Driven):
    await driven.show("<div id=a><button onclick=\"document.title = 'pressed'\">One</button></div><div id=b></div>")
    [one] = (await driven.tree()).nodes
    await driven.agent.evaluate("b.append(document.querySelector('button')); history.pushState(0, '', '#elsewhere')")
    await driven.act("click", one.ref)
    assert await driven.agent.evaluate("document.title") == "pressed"
