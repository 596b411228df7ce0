"""Text of any common script is letters, not boxes: in the image, and with what `make run` installs."""

import pytest

from support.agent import Agent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCRIPTS = {
    "Chinese": "汉字",
    "Japanese": "ひカ",
    "Korean": "한글",
    "Thai": "กข",
    "Hindi": "कख",
    "Bengali": "কখ",
    "Hebrew": "אב",
    "Arabic": "عب",
    "Greek": "αω",
    "Cyrillic": "жя",
    "Georgian": "აბ",
    "Armenian": "աբ",
    "emoji": "😀🦊",
    "currencies": "₿₹",
}
DRAWN = """letters => {
    const context = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
    return letters.map(letter => {
        context.clearRect(0, 0, 64, 64);
        context.font = "40px sans-serif";
        context.fillText(letter, 4, 48);
        return context.getImageData(0, 0, 64, 64).data.join();
    });
}"""


@pytest.mark.parametrize("letters", SCRIPTS.values(), ids=SCRIPTS.keys())
async def test_a_script_has_its_letters(agent: Agent, letters: str):
    # Two letters that do not exist, as whatever stands for a missing one; it may show the number in it.
    drawn = await agent.evaluate(f"({DRAWN})({[*letters, chr(0x0378), chr(0xFFFFD)]!r})")
    assert isinstance(drawn, list)
    first, second, *missing = drawn
    assert first not in missing
    assert second not in missing
    assert first != second
