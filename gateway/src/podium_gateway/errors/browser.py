"""Errors of a browser and its pages."""

from podium_gateway.errors.service import Conflict, NotFound, PodiumError


class PageNotFound(NotFound):
    """No page of that target id in the session."""

    code = "page_not_found"
    default_message = "page not found"


class ElementNotFound(NotFound):
    """Nothing on the page matches."""

    code = "element_not_found"
    default_message = "nothing on the page matches"


class DialogOpen(Conflict):
    """A dialog of the page is in the way; the sentence says what it says."""

    code = "dialog_open"
    default_message = "a dialog is open"


class ElementNotUsable(Conflict):
    """The element is there, and a person could not use it now."""

    code = "element_not_usable"
    default_message = "the element cannot be used now"


class RefGone(Conflict):
    """A ref of an earlier tree, or of a document that is gone."""

    code = "ref_gone"
    default_message = "the ref is of an earlier page; read the tree again"


class NoScreen(Conflict):
    """A live view was asked of a browser without a screen."""

    code = "no_screen"
    default_message = "the browser is headless: there is no screen to watch"


class BrowserFailed(PodiumError):
    """The browser refused or could not do what was asked."""

    status = 502
    code = "browser_failed"
    default_message = "the browser could not do that"


class NavigationFailed(BrowserFailed):
    """The page did not load; the message is the network's own word."""

    code = "navigation_failed"
    default_message = "navigation failed"


class PageCrashed(BrowserFailed):
    """The renderer of the page died."""

    code = "page_crashed"
    default_message = "the page has crashed"


class BrowserGone(BrowserFailed):
    """The browser, or its agent, went away in the middle of it."""

    code = "browser_gone"
    default_message = "the browser is gone"


class BrowserTimeout(PodiumError):
    """The browser did not answer, or the page did not load, within the time the request allowed."""

    status = 504
    code = "browser_timeout"
    default_message = "the browser took too long"
