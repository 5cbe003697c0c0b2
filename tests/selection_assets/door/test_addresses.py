"""At which addresses the UI answers, and when it asks for a token."""

import pytest
from command_line import selection

from selection.config.files import ConfigurationError
from selection_assets.door.addresses import is_loopback, parse_origin, plan_door


def test_without_anything_said_only_this_machine_is_let_in_and_shows_no_token():
    door = plan_door("127.0.0.1", 3000, [])
    assert door.token is None
    assert all(is_loopback(name) for name in ("127.0.0.1", "localhost", "::1", "127.8.0.1"))
    assert door.origins == ("http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000")
    assert door.shown == ("http://127.0.0.1:3000",)
    assert plan_door("::1", 80, ["box"]).shown == ("http://[::1]", "http://box")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://selection.example", "https://selection.example"),
        ("HTTPS://Selection.Example:443/", "https://selection.example"),
        ("box:3000", "http://box:3000"),
        ("box", "http://box"),
        ("http://[fe80::1]:3000", "http://[fe80::1]:3000"),
    ],
)
def test_an_address_is_written_as_browsers_write_it(given, origin):
    assert parse_origin(given) == origin
    door = plan_door("0.0.0.0", 3000, [given])
    assert origin in door.origins and door.token is not None and len(door.token) > 40
    assert plan_door("0.0.0.0", 3000, [given]).token != door.token


@pytest.mark.parametrize(
    "given",
    [
        *("*", "https://*.example", "", "https://", "ftp://box", "https://box/ui", "https://a@box"),
        *("https://box?x", "box:port", "https://[::1", "böx", "http://a b", "http://box:99999"),
    ],
)
def test_what_is_no_address_is_refused_with_its_value(given):
    with pytest.raises(ConfigurationError, match="--allow-host has value"):
        parse_origin(given)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "box"])
def test_other_machines_are_let_in_only_by_an_address_and_a_token(host):
    result = selection("ui", "--host", host)
    assert result.exit_code == 2
    assert f"--host {host} lets other machines in" in result.output
    assert "--allow-host http://my-machine:3000; it then asks for a token" in result.output


@pytest.mark.parametrize("token", ["", "short", "with a space in its middle", "a" * 30 + ";"])
def test_a_token_that_can_be_guessed_or_ends_a_cookie_is_refused(token, monkeypatch):
    monkeypatch.setenv("SELECTION_UI_TOKEN", token)
    for allowed in ([], ["box:3000"]):
        with pytest.raises(ConfigurationError, match="at least 20 characters that nobody"):
            plan_door("127.0.0.1", 3000, allowed)


def test_a_token_of_the_environment_is_asked_for_even_on_this_machine(monkeypatch):
    monkeypatch.setenv("SELECTION_UI_TOKEN", "x" * 20)
    assert plan_door("127.0.0.1", 3000, []).token == "x" * 20
