"""HTML that stands alone, and text."""

import base64
import re

import pytest
from playwright.async_api import Page

from podium_protocol.operations import Html, PageText, Text
from support.driven import Driven
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# A red pixel, twice as wide as high.
PICTURE = (
    "data:image/svg+xml;base64,"
    + base64.b64encode(
        b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='40' height='20' fill='red'/></svg>"
    ).decode()
)


async def html(driven: Driven, *, inline: bool = True) -> str:
    answer = await driven.ask("html", Html(inline=inline))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.content.decode()


LOOKS = """
<title>Looks</title>
<link rel=stylesheet href="/sheet.css"><style id=own>h1 { color: rgb(1, 2, 3) }</style>
<style>@import "/imported.css" screen;</style>
<h1>Title</h1><p class=sheet>sheet</p><p class=imported>imported</p><p class=inserted>inserted</p><p class=adopted>adopted</p>
<input id=text value=old><input id=check type=checkbox><input id=radio type=radio checked><textarea id=area>old</textarea>
<select id=list><option>one</option><option>two</option></select>
<canvas id=canvas width=30 height=10></canvas><details id=details><summary>More</summary>inside</details>
<img id=own-picture src="/picture.svg" srcset="/picture.svg 2x"><picture><source srcset="/picture.svg"><img id=chosen
    src="/missing.png"></picture>
<div id=host></div><iframe id=frame srcdoc="<style>b { color: rgb(4, 5, 6) }</style><b>in the frame</b><input
    id=inner>" style="width: 200px; height: 50px"></iframe>
<div id=made></div><a href="relative/link">link</a><script>
    document.styleSheets[1].insertRule('.inserted { color: rgb(7, 8, 9) }');
    const sheet = new CSSStyleSheet(); sheet.replaceSync('.adopted { color: rgb(10, 11, 12) }');
        document.adoptedStyleSheets = [sheet];
    text.value = 'typed'; check.checked = true; radio.checked = false; area.value = 'written'; list.selectedIndex = 1;
    const pen = canvas.getContext('2d'); pen.fillStyle = 'rgb(0, 200, 0)'; pen.fillRect(0, 0, 30, 10);
    details.open = true; made.textContent = 'made by script';
    const shade = host.attachShadow({ mode: 'open' });
    shade.innerHTML = '<style>i { color: rgb(13, 14, 15) }</style><i>in the shade</i><input>';
    shade.querySelector('input').value = 'shaded';
    addEventListener('load', () => frame.contentDocument.querySelector('input').value = 'framed');
    window.ran = (window.ran ?? 0) + 1;
</script>"""
FILES = {
    "sheet.css": ".sheet { color: rgb(16, 17, 18); background: url(deep/back.svg) } .x::after { content: '</style>' }",
    "imported.css": ".imported { color: rgb(19, 20, 21) }",
    "picture.svg": "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='40' height='20' fill='red'/></svg>",
}
LOOK = """() => {
    const color = (root, selector) => getComputedStyle(root.querySelector(selector)).color;
    const doc = document, inner = doc.querySelector('#frame').contentDocument, shade = doc.querySelector('#host').shadowRoot;
    return {
        colors: ['h1', '.sheet', '.imported', '.inserted', '.adopted'].map((one) => color(doc, one)),
        inner: [color(inner, 'b'), inner.querySelector('input').value], shade: [color(shade, 'i'),
            shade.querySelector('input').value],
        form: [doc.querySelector('#text').value, doc.querySelector('#check').checked, doc.querySelector('#radio').checked,
            doc.querySelector('#area').value, doc.querySelector('#list').value],
        sizes: ['#own-picture', '#chosen', '#canvas'].map((one) => doc.querySelector(one).getBoundingClientRect().width),
        text: doc.body.innerText, link: doc.querySelector('a').href, open: doc.querySelector('details').open,
        scripts: doc.querySelectorAll('script').length,
    };
}"""


async def test_a_snapshot_looks_like_the_page(driven: Driven):
    driven.pages.update(FILES)
    await driven.show(LOOKS)
    await driven.page.wait_for_function(
        "document.querySelector('#frame').contentDocument.querySelector('input').value === 'framed'"
    )
    before = await driven.page.evaluate(LOOK)
    taken = await html(driven)
    for name in FILES:
        del driven.pages[name]  # a snapshot needs nothing any more
    copy = await driven.page.context.new_page()
    await copy.set_content(taken)
    assert await copy.evaluate(LOOK) == before | {"scripts": 0}
    assert await copy.evaluate("window.ran") is None

    async def picture(page: Page) -> bytes:
        await page.bring_to_front()
        return await page.screenshot()

    async def same() -> bool:
        return await picture(driven.page) == await picture(copy)

    # Each picture anew: on a busy machine neither page need have drawn all its images and its frame yet.
    await eventually(same, what="the snapshot to look like the page")
    await copy.close()
    assert f'url("{driven.url}/deep/back.svg")' in taken
    assert re.findall(r'<img [^>]*src="([^"]{22})', taken) == ["data:image/png;base64,"] * 2
    assert "srcset" not in taken


async def test_a_snapshot_holds_no_password(driven: Driven):
    page = """<input type=password id=p value=marked-up><input autocomplete=new-password value=shown-secret><input value=open>
        <iframe srcdoc="<input type=password value=inner-secret>"></iframe>
        <template shadowrootmode=open></template><div><template shadowrootmode=open><input type=password
            value=shady-secret></template></div>
        <script>addEventListener('load', () => p.value = 'typed-secret')</script>"""
    await driven.show(page)
    taken = await html(driven)
    assert "open" in taken
    assert not re.search(r'marked-up|(shown|shady)-secret|value="(inner|typed)-secret', taken)
    await driven.show(page.replace("<template shadowrootmode=open></template>", ""))  # behind it nothing of the body would be seen
    bare = await html(driven, inline=False)
    assert "open" in bare
    assert not re.search(r'marked-up|(shown|shady)-secret|value="typed-secret', bare)


async def test_what_the_page_may_not_read_stays_a_link(driven: Driven):
    driven.pages["foreign.css"] = "p { color: red }"
    await driven.show(
        """<link rel=stylesheet href="@OTHER@/../foreign.css"><img src="@OTHER@/../picture.svg"><iframe "
        "src="@OTHER@"></iframe><p>x"""
    )
    taken = await html(driven)
    other = driven.url.replace("127.0.0.1", "localhost")
    assert f'href="{other}/foreign.css"' in taken
    assert f'src="{other}/elsewhere"' in taken
    assert f'src="{other}/picture.svg"' in taken


async def test_a_snapshot_is_not_led_away_nor_forbidden_its_styles(driven: Driven):
    await driven.show("""<meta charset=iso-8859-1><meta http-equiv=refresh content="900;url=/x"><meta name=description content=d>
        <meta http-equiv=Content-Security-Policy content="script-src 'none'"><link rel=stylesheet disabled
            href=/gone.css><p>ä — 文字""")
    taken = await html(driven)
    assert "http-equiv" not in taken
    assert taken.count("charset") == 1
    assert 'content="d"' in taken
    assert "gone.css" not in taken
    assert "文字" in taken


LOOKALIKES = """<title>&lt;input></title><!-- <head> <input value=commented> --><meta name=x content="<input value=quoted><!--">
    <style>a::before { content: '<input value=styled>' }</style>
    <template><input value=template></template><xmp><input value=xmp></xmp><noscript><input value=noscript></noscript>
    <svg><style>a { color: red }</style><title>x</title></svg><textarea><input value=area></textarea>
    <input id=i title="<input>" value=old><select><option>1<option id=o>2</select><script>
    const text = '<input value=script>'; document.body.append(document.createComment('--><input value=made>'));
    i.value = 'typed'; o.selected = true; document.querySelector('textarea').value = '<b>';</script>"""
READ = """() => ({
    inputs: [...document.querySelectorAll('input')].map((one) => one.value), selected: document.querySelector('select').value,
    area: document.querySelector('textarea').value, title: document.title, meta: document.querySelector('[name=x]').content,
    xmp: document.querySelector('xmp').textContent, inert: document.querySelector('template').innerHTML,
})"""


@pytest.mark.parametrize("beside", ["", "<div><template shadowrootmode=open>shade</template></div>"])
async def test_what_only_looks_like_an_element_is_left_alone(driven: Driven, beside: str):
    await driven.show(f"{LOOKALIKES}{beside}")
    before = await driven.page.evaluate(READ)
    taken = await html(driven)
    await driven.page.goto("about:blank")
    await driven.page.set_content(taken)
    assert before["inputs"] == ["typed"]
    made = ["typed", "made"]  # no HTML can say that a comment goes on
    assert await driven.page.evaluate(READ) == before | {"inputs": made}


async def test_a_snapshot_changes_and_loads_nothing(driven: Driven):
    await driven.show("""<meta http-equiv=Content-Security-Policy content="require-trusted-types-for 'script'">
        <a-part></a-part><iframe srcdoc="<p>framed"></iframe><img src=/none.png loading=lazy><script>
        made = 0; requested = 0; customElements.define('a-part', class extends HTMLElement { constructor() { super(); made++ } });
        new PerformanceObserver((list) => { requested += list.getEntries().length }).observe({ type: 'resource' });</script>""")
    await driven.page.wait_for_function("requested === 1")  # its picture, for which the load event has not waited
    await driven.page.evaluate("requested = 0")
    for _ in range(2):
        assert "framed" in await html(driven)
    assert await driven.page.evaluate("[made, requested]") == [1, 0]


async def test_elements_named_like_a_documents_own_parts_hide_nothing(driven: Driven):
    names = ("body", "title", "documentElement", "querySelectorAll", "createTreeWalker", "implementation", "doctype", "baseURI")
    pictures = "".join(f"<img name={name} alt=''>" for name in (*names, "adoptedStyleSheets", "contentType"))
    await driven.show(f"<p>one{pictures}<script>1</script>")
    taken = await html(driven)
    assert pictures.replace("alt=''", 'alt=""').replace("name=", 'name="').replace(" alt", '" alt') in taken
    assert "<!DOCTYPE html>" in taken
    assert "script" not in taken
    assert f'<base href="{driven.url}/own' in taken


async def test_the_bare_document_is_as_it_is_without_its_scripts(driven: Driven):
    await driven.show("<p>one<script>document.body.append('two')</script>")
    assert await html(driven, inline=False) == "<!DOCTYPE html>\n<html><head></head><body><p>one</p>two</body></html>"


async def test_text_is_what_a_person_reads(driven: Driven):
    await driven.show(
        "<title>A title</title><h1>Head</h1><p>one <b>two</b></p><p hidden>hidden</p><script>1</script><pre>a\n b</pre>"
    )
    answer = await driven.ask("text", Text())
    read = PageText.model_validate_json(answer.content)
    assert (read.title, read.text) == ("A title", "Head\n\none two\n\na\n b")
    assert read.url.startswith(f"{driven.url}/own")
    assert (read.main, read.said, read.form) == ("", [], False)  # which nobody asked for
    await driven.show("<body></body>")
    assert PageText.model_validate_json((await driven.ask("text", Text())).content).text == ""


async def test_text_is_what_a_person_sees(driven: Driven):
    await driven.show(
        "<label>Kind <select><option value=''>Any<option selected>Hats<option>Shoes</select></label>"
        "<select size=2><option>First<option>Second</select><dialog>Secret</dialog><p hidden>Nothing</p><p>After</p>"
    )
    text = (await driven.ask("text", Text())).json()["text"]
    assert text.split() == ["Kind", "Hats", "First", "Second", "After"]


async def test_text_tells_what_the_page_says_and_asks(driven: Driven):
    await driven.show(
        "<h1>Shop</h1><p role=alert>No such code</p><div role=status hidden>x</div><dialog open>Sure? <b role=alert>y</b></dialog>"
    )
    read = (await driven.ask("text", Text(parts=True))).json()
    assert (read["said"], read["form"]) == (["Shop", "No such code", "Sure? y"], False)
    await driven.show("<header><input></header><input type=search><form role=search><input></form><input hidden>")
    assert (await driven.ask("text", Text(parts=True))).json()["form"] is False
    await driven.show("<form><textarea></textarea></form>")
    assert (await driven.ask("text", Text(parts=True))).json()["form"] is True


async def test_text_is_told_from_what_stands_around_it(driven: Driven):
    await driven.show(
        "<header><a>Logo</a></header><nav>Menu</nav><nav hidden>Hidden</nav><form role=search><label>Find<input></label></form>"
        "<main><header>Lead</header><p>Menu of the day</p></main><footer>Imprint</footer>"
    )
    read = (await driven.ask("text", Text(parts=True))).json()
    assert read["text"].split() == ["Logo", "Menu", "Find", "Lead", "Menu", "of", "the", "day", "Imprint"]
    assert read["main"].split() == ["Lead", "Menu", "of", "the", "day"]
    await driven.show("<header><h1>Title</h1></header><p>Body</p>")
    assert (await driven.ask("text", Text(parts=True))).json()["main"].split() == ["Title", "Body"]


async def test_the_bare_document_has_nothing_that_is_hidden(driven: Driven):
    await driven.show(
        "<title>Title</title><p>Seen</p><dialog><p>Dialog</p></dialog><div hidden><b>Deep</b></div>"
        "<details>Text<summary>More</summary>"
        "<i>Inside</i></details><div style='visibility: hidden'>Veiled<u style='visibility: visible'>Shown</u></div>"
        "<div style='display: contents'><p>Contents</p></div><select><option>One</select><noscript>Off</noscript>"
    )
    bare = (await driven.ask("html", Html(inline=False))).text
    seen = ("Title", "Seen", "More", "Shown", "Contents")
    assert [word for word in (*seen, "Dialog", "Deep", "Text", "Inside", "Veiled", "Off") if word in bare] == list(seen)
