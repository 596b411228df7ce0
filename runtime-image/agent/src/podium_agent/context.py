"""The session's context as CDP commands: what a caller asked every page to find, applied before it runs."""

from collections.abc import Iterable
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.targets import Target
from podium_protocol.sessions import Permission, SessionContext, Viewport

__all__ = ["grants", "overrides", "set_viewport"]


_DESCRIPTORS: Final[dict[Permission, Params]] = {
    "midi-sysex": {"name": "midi", "sysex": True},
}


def overrides(context: SessionContext, target: Target) -> list[tuple[str, Params]]:
    """Commands for one paused target; none when the context asks for nothing."""
    commands: list[tuple[str, Params]] = []
    if context.user_agent is not None or context.locale is not None:
        # Network's override reaches workers too; Emulation's is for pages only.
        agent: Params = {"userAgent": context.user_agent or ""}
        if context.locale is not None:
            agent["acceptLanguage"] = context.locale
        commands.append(("Network.setUserAgentOverride", agent))
    if not target.has_frames:
        return commands
    if context.locale is not None:
        commands.append(("Emulation.setLocaleOverride", {"locale": context.locale.replace("-", "_")}))
    if context.timezone_id is not None:
        commands.append(("Emulation.setTimezoneOverride", {"timezoneId": context.timezone_id}))
    features = [
        {"name": name, "value": value}
        for name, value in (
            ("prefers-color-scheme", context.color_scheme),
            ("prefers-reduced-motion", context.reduced_motion),
        )
        if value is not None
    ]
    if features:
        commands.append(("Emulation.setEmulatedMedia", {"features": features}))
    if not context.java_script_enabled:
        commands.append(("Emulation.setScriptExecutionDisabled", {"value": True}))
    if context.bypass_csp:
        commands.append(("Page.setBypassCSP", {"enabled": True}))
    return commands


def grants(permissions: Iterable[Permission]) -> list[tuple[str, Params]]:
    """Commands for the browser: they hold for every origin of the session's own context, and leave all other permissions alone."""
    return [
        ("Browser.setPermission", {"permission": _DESCRIPTORS.get(name, {"name": name}), "setting": "granted"})
        for name in permissions
    ]


async def set_viewport(connection: CdpConnection, page: Target, viewport: Viewport) -> None:
    """Make the page exactly that size in CSS pixels, whatever the window around it needs."""
    size = {"width": viewport.width, "height": viewport.height}
    try:
        window = await connection.command("Browser.getWindowForTarget", {"targetId": page.id})
        await connection.command("Browser.setContentsSize", {"windowId": window["windowId"], **size})
    except AgentError:
        # A browser without that command, or a page without a window: emulate the size instead.
        metrics = {**size, "deviceScaleFactor": 0, "mobile": False}
        await connection.command("Emulation.setDeviceMetricsOverride", metrics, session=page.session)
