"""The header that tells of declined dialogs, whatever pages say in them."""

import json

import pytest

from podium_protocol.operations import DialogsDismissed, DismissedDialog, dialogs_header

TEXTS = [
    "Saved.",
    "",
    "é漢\U0001f600" * 100,
    "\U0001f600" * 300,
    "\x00\x1b\x7f\r\nX-Other: 1",
    '"\\' * 150,
    "\ud800",
    "\u2028\u0085",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
@pytest.mark.parametrize("count", [1, 20])
def test_it_is_printable_and_bounded(text: str, count: int):
    dialogs = [DismissedDialog(kind="beforeunload", text=text.encode("utf-16", "replace").decode("utf-16"))] * count
    header = dialogs_header(dialogs, limit=4096)
    assert all(" " <= character <= "~" for character in header)
    assert len(header) <= 4096
    told = DialogsDismissed.validate_json(header)
    assert len(told) == count
    assert all(dialogs[0].text.startswith(each.text.removesuffix("…")) for each in told)


def test_what_fits_is_whole():
    said = [DismissedDialog(kind="alert", text="x" * 300), DismissedDialog(kind="confirm", text="really?")]
    assert json.loads(dialogs_header(said, limit=4096)) == [each.model_dump() for each in said]
