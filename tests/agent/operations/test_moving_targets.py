"""A click or hover whose element leaves in the moment in which the hand arrives: nothing else is pressed in its place."""

import pytest

from podium_protocol.errors import AgentErrorCode
from support.driven import Driven

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PLACES = (
    "<style>button { position: absolute; width: 80px; height: 30px; top: 50px; left: 40px } .away { left: 300px }</style>"
    "<script>window.pressed = []; for (const type of ['pointerdown', 'mousedown', 'mouseup', 'click', 'focusin'])"
    "addEventListener(type, event => pressed.push(`${type} ${event.target.id}`))</script>"
)
ESCAPES = {
    "when the pointer comes near": f"{PLACES}<button id=other>other</button><button id=aim>aim</button>"
    "<script>aim.onmousemove = () => aim.classList.add('away')</script>",
    "under something that opens": f"{PLACES}<button id=aim>aim</button><button id=other hidden>other</button>"
    "<script>aim.onmouseenter = () => { aim.onmouseenter = null; other.hidden = false;"
    "setTimeout(() => { other.hidden = true }, 200) }</script>",
    "inside a frame": '<iframe id=frame width=500 height=200 srcdoc="'
    f"{PLACES.replace('window.pressed = []', 'parent.pressed = []').replace('pressed.push', 'parent.pressed.push')}"
    "<button id=other>other</button><button id=aim>aim</button>"
    "<script>aim.onmousemove = () => aim.classList.add('away')</script>\"></iframe>",
    "with its frame": f"<style>iframe {{ position: absolute; left: 0; top: 0 }} .away {{ left: 400px }}</style>{PLACES}"
    "<button id=other>other</button><iframe id=frame width=300 height=200 srcdoc=\"<body style='margin: 0'>"
    "<button id=aim onmousemove='frameElement.className = `away`' onclick='parent.pressed.push(`click aim`)' "
    "style='position: absolute; left: 40px; top: 50px; width: 80px; height: 30px'>aim</button>\"></iframe>",
}


@pytest.mark.parametrize("name", ESCAPES)
async def test_a_click_never_meets_what_took_the_elements_place(driven: Driven, name: str):
    await driven.show(ESCAPES[name])
    await driven.act("click", "#aim")
    pressed = await driven.agent.evaluate("pressed")
    assert isinstance(pressed, list)
    assert [each for each in pressed if each.endswith("other")] == []
    assert pressed.count("click aim") == 1


async def test_an_element_that_always_escapes_is_refused_and_nothing_is_pressed(driven: Driven):
    await driven.show(
        f"{PLACES}<button id=other>other</button><button id=aim>aim</button><script>aim.onmousemove = () => {{"
        "aim.classList.toggle('away'); other.classList.toggle('away') }</script>"
        "<style>#other { z-index: 1 } #other:not(.away) { left: 300px } #other.away { left: 40px }</style>"
    )
    code, message = await driven.refused("click", "#aim", timeout=2)
    assert code in (AgentErrorCode.ELEMENT_NOT_USABLE, AgentErrorCode.TIMEOUT), message
    assert await driven.agent.evaluate("pressed") == []


async def test_the_hand_of_another_is_not_judged(driven: Driven):
    # A press whose move never came to an end leaves nothing behind that would keep later ones from the page.
    await driven.show(f"{PLACES}<button id=other style='left: 300px'>other</button><button id=aim>aim</button>")
    await driven.act("hover", "#aim")
    await driven.page.mouse.click(340, 65)
    assert await driven.agent.evaluate("pressed.includes('click other')") is True
