"""Which part of the screen its windows take, without an X server."""

import pytest

from podium_agent.settings import SCREEN
from podium_agent.windows import Area, around

FIRST = (0, 0, 1280, 807)


@pytest.mark.parametrize(
    ("windows", "area"),
    [
        pytest.param([], None, id="no window"),
        pytest.param([FIRST], FIRST, id="one"),
        pytest.param([FIRST, (1320, 846, 600, 334)], (0, 0, 1920, 1180), id="a popup beside the first window"),
        pytest.param([(10, 20, 300, 200), (-50, 100, 200, 5000)], (0, 20, 310, SCREEN[1] - 20), id="one beyond the edges"),
        pytest.param([(-100, -100, 10, 10)], None, id="one outside of the screen"),
    ],
)
def test_the_area_is_around_all_windows_and_on_the_screen(windows: list[Area], area: Area | None):
    assert around(windows) == area
