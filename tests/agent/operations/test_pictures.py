"""Sizes of pages, and pictures of elements."""

import base64
import struct

import pytest

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import ElementImage, PageSize, PageSizeRead
from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def element(driven: Driven, target: str, **fields: object) -> tuple[int, int]:
    """Width and height of an element's picture."""
    answer = await driven.ask("image", ElementImage(target=target, **fields))
    assert answer.status_code == 200, answer.text
    return jpeg_size(answer.content)


def jpeg_size(image: bytes) -> tuple[int, int]:
    at = 2
    while not 0xC0 <= image[at + 1] <= 0xC2:
        at += 2 + struct.unpack_from(">H", image, at + 2)[0]
    height, width = struct.unpack_from(">HH", image, at + 5)
    return width, height


@pytest.mark.parametrize(("width", "height"), [(100, 50), (5000, 40_000), (1280, 30_000)])
async def test_a_page_has_the_size_of_its_content(driven: Driven, width: int, height: int):
    await driven.show(f"<body style='margin: 0'><div style='width: {width}px; height: {height}px'></div>")
    size = PageSizeRead.model_validate_json((await driven.ask("page-size", PageSize())).content)
    inner = await driven.page.evaluate("[document.documentElement.clientWidth, document.documentElement.clientHeight]")
    assert (size.width, size.height) == (max(width, inner[0]), max(height, inner[1]))


PICTURED = {
    "as large as it is": ("<p id=x style='width: 120px; height: 33px'>x</p>", (120, 33)),
    "with a part of a pixel": (
        "<p id=x style='position: absolute; left: 10.4px; top: 3px; width: 99.5px; height: 10px; margin: 0'>x</p>",
        (100, 10),
    ),
    "far down": ("<div style='height: 9000px'></div><img id=x width=80 height=40 src='data:,'>", (80, 40)),
    "higher than the view": ("<div id=x style='width: 60px; height: 3000px; background: red'></div>", (60, 3000)),
    "wider than the view": ("<div id=x style='width: 4000px; height: 20px; background: red'></div>", (4000, 20)),
    "in a frame": ("<iframe style='height: 300px' srcdoc=\"<p id=x style='width: 77px; height: 22px'>x</p>\"></iframe>", (77, 22)),
    "disabled": ("<button id=x disabled style='width: 70px; height: 30px'>x</button>", (70, 30)),
}


@pytest.mark.parametrize("name", PICTURED)
async def test_an_elements_picture_has_its_size(driven: Driven, name: str):
    html_of, size = PICTURED[name]
    await driven.show(html_of)
    assert await element(driven, "#x") == size


async def test_an_elements_picture_shows_it_and_takes_refs(driven: Driven):
    await driven.show(
        "<div style='height: 5000px'></div><button id=x style='width: 50px; height: 50px; border: 0; background: "
        "rgb(255, 0, 0)'></button>"
    )
    [button] = (await driven.tree()).nodes
    answer = await driven.ask("image", ElementImage(target=button.ref, quality=100))
    assert jpeg_size(answer.content) == (50, 50)
    shown = f"data:image/jpeg;base64,{base64.b64encode(answer.content).decode()}"
    script = """async (url) => {
        const image = new Image(); image.src = url; await image.decode();
        const canvas = document.createElement('canvas').getContext('2d'); canvas.drawImage(image, 0, 0);
        return [...canvas.getImageData(25, 25, 1, 1).data];
    }"""
    red, green, blue, _ = await driven.page.evaluate(script, shown)
    assert (red > 240, green < 15, blue < 15) == (True, True, True)


@pytest.mark.parametrize(
    ("target", "page", "code"),
    [
        ("#none", "<p>", AgentErrorCode.ELEMENT_NOT_FOUND),
        ("p", "<p hidden>x", AgentErrorCode.ELEMENT_NOT_USABLE),
        ("e5", "<p>", AgentErrorCode.REF_GONE),
        ("a[", "<p>", AgentErrorCode.INVALID_REQUEST),
        ("p", "<p style='width: 40000px; height: 40000px'>x", AgentErrorCode.INVALID_REQUEST),
    ],
)
async def test_no_picture_of_what_is_not_there(driven: Driven, target: str, page: str, code: AgentErrorCode):
    await driven.show(page)
    assert (await driven.refusal("image", ElementImage(target=target))).code is code
