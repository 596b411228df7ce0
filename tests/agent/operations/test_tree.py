"""What an accessibility tree says, beside what Playwright's own snapshot of the same page in the same browser says."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.async_api import Frame

from support.driven import Driven
from support.snapshots import TEXT, Line, of_playwright, of_podium

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = ["forms", "tables", "frames", "shadow", "dialogs", "unicode", "landmarks", "widgets", "hidden", "large"]


@dataclass(frozen=True, slots=True)
class Different:
    """Lines that differ on purpose."""

    theirs: str
    ours: str
    why: str


CHOICE = "a closed list is read with what is chosen; they leave that to the options"
RANGE = "what a range or a bar stands at is its value; they leave it out"
SUMMARY = "a hand opens it, so it is a button; they have no role for it"
RICH = "what can be typed into is a text box with its text; they have no role for it, or leave its text out"
DIFFERENT: dict[str, list[Different]] = {
    "forms": [
        Different("textbox 'Password' = secret of mine", "textbox 'Password' = ••••••••", "a password is nobody's business"),
        Different("combobox 'Country'", "combobox 'Country' = Japan", CHOICE),
        Different("listbox 'Many'", "listbox 'Many' = One Three", CHOICE),
        Different("combobox ''", "combobox '' = stone", CHOICE),
        Different("progressbar 'Progress'", "progressbar 'Progress' = 0.5", RANGE),
        Different("meter 'Meter'", "meter 'Meter' = 3", RANGE),
    ],
    "hidden": [
        Different("combobox 'Choice'", "combobox 'Choice' = hidden option", CHOICE),
        Different("text 'Closed'", "button 'Closed'", SUMMARY),
    ],
    "dialogs": [Different("text 'More'", "button 'More'", SUMMARY), Different("text 'Less'", "button 'Less' expanded", SUMMARY)],
    "widgets": [
        Different("slider 'Zoom'", "slider 'Zoom' = 50", RANGE),
        Different("slider 'Mood'", "slider 'Mood' = good", RANGE),
        Different("spinbutton 'Count'", "spinbutton 'Count' = 7", RANGE),
        Different("progressbar 'Loading'", "progressbar 'Loading' = 20", RANGE),
        Different("meter 'Fuel'", "meter 'Fuel' = 3", RANGE),
        Different("scrollbar 'Scroll'", "scrollbar 'Scroll' = 4", RANGE),
        Different("textbox 'Note'", "textbox 'Note' = written here", RICH),
        Different("text 'rich text'", "textbox 'Rich' = rich text", RICH),
    ],
}
FIELDS = {"textbox", "searchbox", "spinbutton", "slider", "combobox"}


def said(lines: list[Line]) -> list[str]:
    """One line a node. A field's only text is its value, and a value that is the name already is not said again."""
    folded: list[Line] = []
    for line in lines:
        last = folded[-1] if folded else None
        if last is not None and line.role == TEXT and last.role in FIELDS and line.depth == last.depth + 1 and not last.value:
            folded[-1] = replace(last, value=line.name)
        else:
            folded.append(line)
    return [_said(line) for line in folded]


def _said(line: Line) -> str:
    value = f" = {line.value}" if line.value and line.value != line.name else ""
    return f"{'  ' * line.depth}{' '.join([line.role, repr(line.name), *sorted(line.states)])}{value}"


def but(lines: list[str], differences: list[Different]) -> list[str]:
    """Their lines with what differs on purpose; everything listed has to be there, once and in that order."""
    changed = list(lines)
    start = 0
    for one in differences:
        at = next(number for number, line in enumerate(changed[start:], start) if line.strip() == one.theirs)
        changed[at] = changed[at].replace(one.theirs, one.ours)
        start = at + 1
    return changed


async def snapshot(frame: Frame, *, first: bool = True) -> list[Line]:
    """Playwright's lines of a document and of the frames of the same origin in it, which its snapshot leaves empty and nameless."""
    text = await (frame.page.aria_snapshot() if first else frame.locator("body").aria_snapshot())
    inner = [one for one in frame.child_frames if await (await one.frame_element()).is_visible()]
    lines: list[Line] = []
    for line in of_playwright(text):
        if line.role != "iframe":
            lines.append(line)
            continue
        child = inner.pop(0)
        lines.append(replace(line, name=await (await child.frame_element()).get_attribute("title") or ""))
        if child.url == "about:srcdoc":
            lines += [below.deeper(line.depth + 1) for below in await snapshot(child, first=False)]
    return lines


@pytest.mark.parametrize("name", PAGES)
async def test_a_tree_has_the_names_roles_states_and_values_of_playwrights_snapshot(driven: Driven, name: str):
    await driven.open(name)
    theirs = but(said(await snapshot(driven.page.main_frame)), DIFFERENT.get(name, []))
    tree = await driven.tree()
    assert said(of_podium(tree.nodes)) == theirs
    assert tree.title == await driven.page.title()
    first = int(tree.nodes[0].ref.removeprefix("e"))
    assert [node.ref for node in tree.nodes] == [f"e{first + number}" for number in range(len(tree.nodes))]


async def test_the_large_page_is_large(driven: Driven):
    await driven.open("large")
    assert await driven.page.evaluate("document.querySelectorAll('*').length") > 1500


RECORD = """() => {
    const seen = (event) => {
        if (event.type === 'click') top.clicked = event.composedPath()[0];
        event.preventDefault();
    };
    for (const type of ['mousedown', 'click', 'submit']) addEventListener(type, seen, true);
}"""
HIT = """(elements, at) => {
    const up = (node) => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host;
    const fits = (element) => {
        for (let node = top.clicked; node; node = up(node)) {
            if (node === element || (node.localName === 'label' && node.control === element)) return true;
        }
        return false;
    };
    return elements.length > at && fits(elements[at]);
}"""
OUT_OF_REACH = {
    # Disabled, or shown to no one; `Rich`, `More` and `Less` have no role for them.
    "forms": {"Off", "By hand", "Not now"},
    "widgets": {"Off", "Soft off", "Rich"},
    "dialogs": {"More", "Less"},
    "shadow": {"No box"},
}
BOXLESS = {"option"}
"""What a closed list holds is nowhere on the page: `select` chooses it."""


@pytest.mark.parametrize("name", ["forms", "tables", "frames", "shadow", "dialogs", "unicode", "landmarks", "widgets"])
async def test_each_interactive_ref_is_clicked_where_playwright_finds_that_role_and_name(driven: Driven, name: str):
    await driven.open(name)
    frames = [frame for frame in driven.page.frames if "elsewhere" not in frame.url]
    for frame in frames:
        await frame.evaluate(RECORD)
    nodes = (await driven.tree(interactive=True)).nodes
    missed: list[str] = []
    count: dict[tuple[str, str], int] = {}
    for node in nodes:
        at = count[node.role, node.name] = count.get((node.role, node.name), -1) + 1
        if node.role in BOXLESS or node.name in OUT_OF_REACH.get(name, ()):
            continue
        await driven.act("click", node.ref)
        role: Any = node.role  # Playwright takes known names only, as literals
        if not any([await frame.get_by_role(role, name=node.name, exact=True).evaluate_all(HIT, at) for frame in frames]):
            missed.append(f"{node.role} {node.name!r}")
    assert missed == []
