"""Addresses: every row of Ollama's own tests of OLLAMA_HOST, and what a client must make of them."""

import pytest

from olbench import address


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        ("localhost", "http://localhost:11434"),
        (" 1.2.3.4 ", "http://1.2.3.4:11434"),
        ('"1.2.3.4"', "http://1.2.3.4:11434"),
        (' " 1.2.3.4 " ', "http://1.2.3.4:11434"),
        ("'1.2.3.4'", "http://1.2.3.4:11434"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("http://1.2.3.4:4321", "http://1.2.3.4:4321"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://1.2.3.4:4321", "https://1.2.3.4:4321"),
        ("HTTPS://example.com", "https://example.com:443"),
        ("https://example.com/ollama", "https://example.com:443/ollama"),
        ("http://example.com:8080/a/b/", "http://example.com:8080/a/b"),
        ("ollama.com", "https://ollama.com:443"),
        ("my_host.local", "http://my_host.local:11434"),
    ],
)
def test_a_value_of_ollama_host_becomes_the_url_that_ollama_makes_of_it(value: str, url: str) -> None:
    assert address.parse(value) == url
    assert address.parse_strictly(value) == url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("https://0.0.0.0:4321", "https://127.0.0.1:4321"),
        ("::", "http://[::1]:11434"),
        ("[::]", "http://[::1]:11434"),
        ("[::]:1234", "http://[::1]:1234"),
    ],
)
def test_an_address_to_bind_to_becomes_the_loopback_to_connect_to(value: str, url: str) -> None:
    assert address.parse(value) == url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("http://[fe80::2]", "http://[fe80::2]:80"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
    ],
)
def test_ipv6_stands_in_brackets(value: str, url: str) -> None:
    assert address.parse(value) == url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        (":66000", "http://127.0.0.1:11434"),
        (":-1", "http://127.0.0.1:11434"),
        ("example.com:abc", "http://example.com:11434"),
        ("example.com:", "http://example.com:11434"),
        ("http://example.com:99999", "http://example.com:80"),
        ("https://example.com:99999", "https://example.com:443"),
    ],
)
def test_a_bad_port_is_the_default_for_ollama_and_an_error_in_a_scenario(value: str, url: str) -> None:
    assert address.parse(value) == url
    with pytest.raises(ValueError, match="a whole number from 1 to 65535"):
        address.parse_strictly(value)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("ftp://example.com", 'its scheme is "ftp"'),
        ("a:b:c", 'its host is "a:b:c"'),
        ("two words", 'its host is "two words"'),
        ("http://h?x=1", "a query"),
        ("http://me:secret@example.com", "a user name or a password"),
    ],
)
def test_what_is_no_address_is_refused_with_the_part_at_fault(value: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        address.parse(value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("unix:/run/llama.sock", "unix:///run/llama.sock"),
        ("unix:///run/llama.sock", "unix:///run/llama.sock"),
        ("UNIX:///run/a b/模型.sock", "unix:///run/a%20b/%E6%A8%A1%E5%9E%8B.sock"),
    ],
)
def test_a_scenario_may_name_a_unix_socket(value: str, url: str) -> None:
    assert address.parse_strictly(value) == url


@pytest.mark.parametrize("value", ["unix:", "unix://", "unix:///", "unix:relative.sock"])
def test_a_unix_socket_has_an_absolute_path(value: str) -> None:
    with pytest.raises(ValueError, match="unix:///run/server"):
        address.parse_strictly(value)
