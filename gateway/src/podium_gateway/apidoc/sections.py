"""The page's sections, and what no route describes: how to begin, the sockets, what cannot be reached yet (`prose/*.md`)."""

from importlib import resources
from typing import Final

__all__ = ["ENDING", "SECTIONS", "SOCKETS", "prose"]

ENDING: Final = "The end"
"""No tag: a section for what ends a session."""
SECTIONS: Final[dict[str, tuple[str, str]]] = {
    "Sessions": ("Sessions (RBS and SAPI)", "Create, list, look at, keep alive."),
    "Browser": (
        "Driving a page (RBS)",
        "These wait for a browser that is starting, mean the session's active page, and count as use. An element is named by a CSS"
        " selector, which also finds what is in open shadow roots and frames of the same origin, or by a `ref` of an accessibility"
        " tree. Of several elements that match a selector, the first in the document is meant, seen or not; where that matters, use"
        " a ref. A ref belongs to its element for good: it is the same in every tree, no other element of the session gets it, and"
        " when the element or its document is gone it is an error, `ref_gone`.\n\n"
        "Where no `timeout` is given, navigating and reading have 30 s, the rest 10 s; then the answer is 502, `browser_timeout`."
        " While no DevTools client is connected, an alert or another dialog of the page is declined after a second, or at once for"
        " a call in whose way it is: that call goes on, and `dialogs` of its answer tells what they said (the header"
        " `Podium-Dialogs`, with the same JSON, where the answer is a document or a picture). A navigation or an action that leads"
        " to a dialog answers 502, `dialog_open`, with the dialog's words and whether an action may have been done already"
        " (`details.begun`). Over REST such a dialog cannot be accepted: to answer `confirm` or `prompt`, stay connected with a"
        " DevTools client that does, see [clients.md](clients.md); a call behind a dialog that a connected client leaves open for"
        " a second answers `dialog_open`, too. After `page_crashed`, navigate. A page whose dialogs never end is left with"
        " `newTab`. A `<dialog>` that the page draws itself is like the rest of the page: click what is in it.\n\n"
        "The first call waits until the session's start URL has loaded: 10 s, or half of its own time, at most. A call that"
        " meets the change of its page's document begins again in the next one, within its time. An action that may have been"
        " done by then is not done again: it answers 502, `element_not_usable`, with `details.begun`. While a navigation waits"
        " for its server, its page answers nothing; one that a server has not answered for 20 s is stopped when a call wants"
        " the page and no DevTools client is connected.\n\n"
        "A click that begins a download answers like any other; the file is in"
        " [`/artifacts`](#get-apisessionssession_idartifacts) as soon as it is there whole, which"
        " the event `download.finished` tells.",
    ),
    "Records": (
        "What a session did (SAPI)",
        "Readable while it runs and after its end. Except for the events, which are those of all runs, they show the newest run.",
    ),
    ENDING: ("The end of a session (RBS and SAPI)", "It also ends by itself: see [above](#api)."),
    "Stored sessions": (
        "Stored sessions (RBS)",
        "What is kept of a session so that its next run is the same person: cookies, localStorage, sessionStorage and the URL of"
        " its page. It is saved as the session goes and once more at its end.",
    ),
    "DevTools": ("DevTools sockets (RBS)", "For Playwright, Puppeteer and every other CDP client; see [clients.md](clients.md)."),
    "Live view": ("Live view (RBS)", "The session's screen in a browser, with mouse and keys."),
    "System": ("System", "For whoever runs the service. These need no key and name nobody."),
}
"""By tag of the routes, or `ENDING`: the section's title and its first words."""

SOCKETS: Final = {"DevTools": "devtools", "Live view": "live_view"}
"""Sections that end with sockets: the name of their prose."""


def prose(name: str) -> str:
    """The text of `prose/<name>.md`, without its last line end."""
    return (resources.files(__package__) / "prose" / f"{name}.md").read_text(encoding="utf-8").rstrip()
