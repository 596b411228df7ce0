"""`make test`: prepare everything the tests need, say which tiers cannot run here and why, then become pytest, once."""

import os
import sys

from debian_packages import FONTS, FOR_TEST, NODE, Part, provide
from node_packages import prepare_node
from progress import fail, say
from python_packages import VENV, prepare_python


def main() -> None:
    """Run the tiers this machine can run: `unit` anywhere, `browser` where Chromium, a screen and Node are."""
    missing = provide(FOR_TEST)
    prepare_python()
    why_not = _browser_tier(missing, node_ready=prepare_node())
    if why_not:
        line = f"the browser tier cannot run here: {why_not}"
        if os.environ.get("CI") == "true":
            raise fail(f"{line}. With CI=true that is a failure.")
        say(f"{line}; running the unit tier only")
    selection = ["-m", "not browser"] if why_not else []
    sys.stdout.flush()
    pytest = str(VENV / "bin" / "pytest")
    os.execv(pytest, [pytest, *selection, *sys.argv[1:]])


def _browser_tier(missing: list[Part], *, node_ready: bool) -> str | None:
    """Why the browser tier cannot run, or None."""
    needed = [part for part in missing if part is not FONTS]
    if needed:
        return f"missing {', '.join(part.package for part in needed)}"
    if not node_ready and not set(NODE) & set(missing):
        return "npm could not install puppeteer-core"
    return None


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
