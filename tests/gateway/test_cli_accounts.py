"""The command line's users and keys, and the first user of a new installation."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from podium_gateway import accounts
from podium_gateway.__main__ import main
from podium_gateway.accounts import FirstUser, ensure_first_user
from podium_gateway.auth.authenticate import Authenticator
from podium_gateway.auth.keys import Keyring
from podium_gateway.settings import Settings
from support.store import NOW, later


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's folder, as the environment says."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PODIUM_HOME", str(folder))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


async def _user_of(settings: Settings, token: str) -> str:
    async with accounts.opened(settings) as (known, keyring):
        return (await Authenticator(known, keyring).authenticate({"x-api-key": token}, {})).user_id


async def _ensure(settings: Settings, *, seconds: float = 0) -> FirstUser:
    async with accounts.opened(settings) as (known, keyring):
        return await ensure_first_user(known, keyring, settings.home, now=later(seconds))


def test_a_command_in_a_process_of_its_own_prints_the_key_alone_on_its_last_line(home: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "podium_gateway", "users", "add", "Alice"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    user, key, token = done.stdout.splitlines()
    assert user == "user alice"
    assert key.startswith("key key-")
    assert token.count(".") == 2
    assert " " not in token
    assert done.stderr == ""
    assert home.stat().st_mode & 0o077 == 0


async def test_the_key_of_a_new_user_opens_the_door(settings: Settings) -> None:
    out = io.StringIO()
    await accounts.add_user(settings, "Alice", now=NOW, out=out)
    assert await _user_of(settings, out.getvalue().splitlines()[-1]) == "alice"


def test_keys_are_made_listed_and_revoked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "add", "Alice"]) == 0
    assert main(["users", "add", "Bob"]) == 0
    capsys.readouterr()
    assert main(["keys", "create", "--user", "alice", "--name", "ci job"]) == 0
    made = capsys.readouterr().out.splitlines()
    key_id, token = made[-2].removeprefix("key "), made[-1]

    assert main(["keys", "list"]) == 0
    everything = capsys.readouterr().out
    assert len(everything.splitlines()) == 4
    assert token not in everything
    assert main(["keys", "list", "--user", "alice"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["alice", "alice"]

    assert main(["keys", "revoke", key_id]) == 0
    assert capsys.readouterr().out == f"{key_id} is revoked\n"
    assert main(["keys", "revoke", key_id]) == 0
    assert capsys.readouterr().out == f"{key_id} was revoked before\n"
    assert main(["keys", "list", "--user", "alice"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(key_id)]
    assert line.split()[2] == "revoked"
    assert line.endswith("ci job")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["users", "add", "Alice"], "there is a user named 'Alice'"),
        (["users", "add", ""], "a name is 1 to 100"),
        (["keys", "create", "--user", "nobody"], "no user 'nobody'"),
        (["keys", "revoke", "key-unknown"], "no key 'key-unknown'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    main(["users", "add", "Alice"])
    capsys.readouterr()
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"podium: {said}")
    assert len(told.err.splitlines()) == 1


def test_wrong_use_and_wrong_settings_have_a_status_of_their_own(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in ([], ["keys"], ["keys", "create"], ["users", "remove", "x"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
    monkeypatch.setenv("PORT", "eighty")
    assert main(["keys", "list"]) == 2
    assert "PORT" in capsys.readouterr().err


async def test_the_first_start_makes_a_user_and_keeps_its_key(settings: Settings) -> None:
    first = await _ensure(settings)
    file = settings.home / "api-key"
    assert (first.user.id, first.made) == ("local", True)
    assert file.read_text() == first.key + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert await _user_of(settings, first.key) == "local"


async def test_later_starts_read_the_key_back(settings: Settings) -> None:
    first = await _ensure(settings)
    again = await _ensure(settings, seconds=60)
    assert (again.user, again.key, again.made) == (first.user, first.key, False)
    async with accounts.opened(settings) as (known, _):
        assert len(await known.list_keys()) == 1


async def test_a_revoked_key_is_replaced_for_the_same_user(settings: Settings) -> None:
    out = io.StringIO()
    await _ensure(settings)
    await accounts.add_user(settings, "Bob", now=later(1), out=out)
    (settings.home / "api-key").write_text(out.getvalue().splitlines()[-1])
    async with accounts.opened(settings) as (known, _):
        [of_bob] = await known.list_keys("bob")
    await accounts.revoke_key(settings, of_bob.id, now=later(2), out=out)
    replaced = await _ensure(settings, seconds=3)
    assert (replaced.user.id, replaced.made) == ("bob", True)
    assert await _user_of(settings, replaced.key) == "bob"


@pytest.mark.parametrize("damage", ["removed", "emptied", "foreign", "signing key replaced"])
async def test_a_key_that_is_of_no_use_is_replaced(settings: Settings, damage: str) -> None:
    first = await _ensure(settings)
    file = settings.home / "api-key"
    match damage:
        case "removed":
            file.unlink()
        case "emptied":
            file.write_text("")
        case "foreign":
            (settings.home / "elsewhere").mkdir()
            file.write_text(Keyring.open(settings.home / "elsewhere").mint("local", "k", now=NOW))
        case _:
            (settings.home / "signing-key.pem").unlink()
    replaced = await _ensure(settings, seconds=5)
    assert (replaced.user, replaced.made) == (first.user, True)
    assert file.read_text().strip() == replaced.key
    assert file.stat().st_mode & 0o777 == 0o600
    assert await _user_of(settings, replaced.key) == "local"


async def test_an_installation_that_has_users_gets_no_other(settings: Settings) -> None:
    await accounts.add_user(settings, "Alice", now=NOW, out=io.StringIO())
    first = await _ensure(settings, seconds=1)
    assert (first.user.id, first.made) == ("alice", True)


async def test_a_home_that_others_could_read_is_closed(settings: Settings) -> None:
    settings.home.mkdir(mode=0o755)
    await _ensure(settings)
    assert settings.home.stat().st_mode & 0o777 == 0o700
