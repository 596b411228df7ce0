"""A session's context as commands for one target, before its first script."""

import pytest

from podium_agent.context import overrides
from podium_agent.targets import Target
from podium_protocol.sessions import Geolocation, SessionContext, Viewport


def target(kind: str) -> Target:
    return Target(id="t", session="s", type=kind, url="", title="", context="c", opener=None, parent=None)


FULL = SessionContext(
    viewport=Viewport(width=800, height=600),
    locale="de-AT",
    timezone_id="Europe/Vienna",
    user_agent="Podium/1",
    color_scheme="dark",
    reduced_motion="reduce",
    geolocation=Geolocation(latitude=48.2, longitude=16.4),
    java_script_enabled=False,
    bypass_csp=True,
)

CASES = {
    "nothing asked": (SessionContext(), []),
    "a viewport is the window's, not the page's": (SessionContext(viewport=Viewport(width=800, height=600)), []),
    "user agent": (SessionContext(user_agent="x"), ["Network.setUserAgentOverride"]),
    "locale": (SessionContext(locale="fr-FR"), ["Network.setUserAgentOverride", "Emulation.setLocaleOverride"]),
    "time zone": (SessionContext(timezone_id="Asia/Tokyo"), ["Emulation.setTimezoneOverride"]),
    "color scheme": (SessionContext(color_scheme="dark"), ["Emulation.setEmulatedMedia"]),
    "a place may change, so it is kept elsewhere": (SessionContext(geolocation=Geolocation(latitude=0, longitude=0)), []),
    "no scripts": (SessionContext(java_script_enabled=False), ["Emulation.setScriptExecutionDisabled"]),
    "no content security policy": (SessionContext(bypass_csp=True), ["Page.setBypassCSP"]),
}


@pytest.mark.parametrize(("context", "methods"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("kind", ["page", "iframe"])
def test_a_page_gets_what_was_asked_and_no_more(context: SessionContext, methods: list[str], kind: str):
    assert [method for method, _ in overrides(context, target(kind))] == methods


@pytest.mark.parametrize("kind", ["worker", "shared_worker", "service_worker", "other"])
def test_a_target_without_frames_gets_only_what_it_has_a_place_for(kind: str):
    commands = overrides(FULL, target(kind))
    assert commands == [("Network.setUserAgentOverride", {"userAgent": "Podium/1", "acceptLanguage": "de-AT"})]


def test_the_values_go_through():
    commands = dict(overrides(FULL, target("page")))
    assert commands["Emulation.setLocaleOverride"] == {"locale": "de_AT"}
    assert commands["Emulation.setEmulatedMedia"]["features"] == [
        {"name": "prefers-color-scheme", "value": "dark"},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
