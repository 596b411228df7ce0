"""The one Node package the tests use, puppeteer-core, at the version and hash that `tests/browser/package-lock.json` names."""

import hashlib
import shutil

from progress import ROOT, StepFailed, run_quietly, say

FOLDER = ROOT / "tests" / "browser"
STAMP = FOLDER / "node_modules" / ".podium-stamp"


def prepare_node() -> bool:
    """Bring `tests/browser/node_modules` up to date; whether that worked (if not, a line has said why)."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return True
    say("installing puppeteer-core for the tests (npm ci)")
    try:
        # No install script runs: puppeteer-core is plain JavaScript, and its browser is the distribution's.
        run_quietly(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=FOLDER)
    except StepFailed as error:
        say(f"npm failed:\n{error}")
        return False
    STAMP.write_text(wanted)
    return True
