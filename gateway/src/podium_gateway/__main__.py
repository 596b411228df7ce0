"""The command `podium`: serve, and users and their keys. The only place that reads the environment."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from podium_gateway import accounts
from podium_gateway.declared import SettingsError
from podium_gateway.errors import PodiumError
from podium_gateway.settings import Settings

WRONG_USE = 2
INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="podium", description="A browser of its own for every caller.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the gateway; docs/settings.md lists its settings")

    users = commands.add_parser("users", help="who may have sessions").add_subparsers(dest="action", required=True)
    add = users.add_parser("add", help="make a user and a key; the key is the last line and is not shown again")
    add.add_argument("name", metavar="NAME")

    keys = commands.add_parser("keys", help="API keys").add_subparsers(dest="action", required=True)
    create = keys.add_parser("create", help="make a key; it is the last line and is not shown again")
    create.add_argument("--user", required=True, metavar="ID", help="the user's id")
    create.add_argument("--name", default="default", metavar="N", help="what the key is for")
    listing = keys.add_parser("list", help="all keys, or a user's; the keys themselves are not kept")
    listing.add_argument("--user", metavar="ID", help="only this user's")
    revoke = keys.add_parser("revoke", help="refuse a key from now on and close what it has open")
    revoke.add_argument("key_id", metavar="KEY_ID")
    return parser


async def _account_command(given: argparse.Namespace, settings: Settings) -> None:
    now, out = datetime.now(UTC), sys.stdout
    match given.command, given.action:
        case "users", "add":
            await accounts.add_user(settings, given.name, now=now, out=out)
        case "keys", "create":
            await accounts.create_key(settings, given.user, name=given.name, now=now, out=out)
        case "keys", "list":
            await accounts.list_keys(settings, given.user, out=out)
        case "keys", "revoke":
            await accounts.revoke_key(settings, given.key_id, now=now, out=out)


def _serve(settings: Settings) -> int:
    from podium_gateway.serve import run  # the whole gateway; a command about keys does not need it

    run(settings, os.environ)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 1 when it was refused, 2 when it was asked wrongly."""
    given = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"podium: {error}\n")
        return WRONG_USE
    try:
        if given.command == "serve":
            return _serve(settings)
        asyncio.run(_account_command(given, settings))
    except PodiumError as error:
        sys.stderr.write(f"podium: {error.message}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started that would have to be ended
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
