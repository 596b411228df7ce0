"""No user name and no password of a URL is kept or shown."""

import time

import pytest

from podium_protocol.urls import bare_url, shown_url, without_credentials

URLS = {
    "both": ("https://user:pass@host/a?b#c", "https://host/a?b#c"),
    "a name only": ("https://user@host/", "https://host/"),
    "a password only": ("https://:pass@host/", "https://host/"),
    "an at sign in the password": ("https://user:p@ss@host/", "https://host/"),
    "a port": ("ws://user:pass@host:8080/ws", "ws://host:8080/ws"),
    "IPv6": ("http://u:p@[::1]:80/", "http://[::1]:80/"),
    "an at sign in the path": ("https://host/@user", "https://host/@user"),
    "an at sign in the query": ("https://host?mail=me@example.com", "https://host?mail=me@example.com"),
    "an at sign in the fragment": ("https://host#me@example.com", "https://host#me@example.com"),
    "within another": ("view-source:https://user:pass@host/", "view-source:https://host/"),
    "a blob's": ("blob:https://user:pass@host/1-2", "blob:https://host/1-2"),
    "capitals": ("HTTPS://User:Pass@Host/", "HTTPS://Host/"),
    "a mail address": ("mailto:me@example.com", "mailto:me@example.com"),
    "escaped": ("https://us%40er:p%20ss@host/", "https://host/"),
}
TYPED = {
    "no slashes": ("https:user:pass@host/", "https:host/"),
    "one slash": ("http:/user:pass@host/", "http:/host/"),
    "back slashes": ("http:\\\\user:pass@host/", "http:\\\\host/"),
    "white space": (" http://us er:pa\n'ss\"@host/", " http://host/"),
}


@pytest.mark.parametrize(("url", "kept"), URLS.values(), ids=URLS)
def test_a_url_loses_its_credentials_and_nothing_else(url: str, kept: str):
    assert bare_url(url) == kept
    assert without_credentials(f"GET '{url}' failed, me@x: {url}") == f"GET '{kept}' failed, me@x: {kept}"


@pytest.mark.parametrize(("url", "kept"), TYPED.values(), ids=TYPED)
def test_so_does_one_as_somebody_typed_it(url: str, kept: str):
    assert bare_url(url) == kept


LONG = {
    "a word": "a" * 1_000_000 + "@",
    "one scheme after the other": "a:" * 500_000 + "@",
    "slashes": "http:" + "/" * 1_000_000 + "?@",
    "URLs": "http://" * 150_000 + "?@",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_takes_no_more_than_its_share_of_time(text: str):
    # About 0.05 s; reading the word anew from each of its letters would take hours.
    began = time.process_time()
    assert without_credentials(text) == text
    assert time.process_time() - began < 5


def test_a_message_says_neither_query_nor_fragment():
    assert shown_url("https://u:p@host/path?token=1#part") == "https://host/path"
    assert shown_url("host?token=1") == "host"
    assert shown_url("data:text/html,secret") == "data:text/html"
    assert shown_url("javascript:secret()") == "javascript:"
    assert len(shown_url("https://host/" + "x" * 1000)) == 200
