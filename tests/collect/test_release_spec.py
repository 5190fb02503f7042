"""What observatory.toml may say of a source that is another observatory's releases."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.collect.release_spec import ReleaseSpec, check_url
from safercities.collect.spec import SourceSpec
from safercities.model.errors import SafercitiesError
from safercities.model.spec import Spec, parse

IDENTITY = "ed25519:" + "0123456789abcdef" * 4


class Top(Spec):
    sources: dict[str, SourceSpec]


def read(**keys: Any) -> ReleaseSpec:
    spec = parse(Top, {"sources": {"sanvera": {"kind": "release", **keys}}}, file="observatory.toml").sources["sanvera"]
    assert isinstance(spec, ReleaseSpec)
    return spec


def test_everything_that_can_be_said() -> None:
    spec = read(file="releases", identity=IDENTITY, kinds={"homicides 2024": "police"}, as_of=date(2025, 1, 1))
    assert (spec.file, spec.url, spec.identity, spec.as_of) == ("releases", None, IDENTITY, date(2025, 1, 1))
    assert spec.kinds == {"homicides 2024": "police"}
    assert spec.dimensions == {}
    assert read(url="https://sanvera.example/r.zip", place="SV-1", label="San Vera").identity is None


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "say either file or url"),
        ({"file": "a", "url": "https://a.example/b.zip"}, "say either file or url"),
        ({"file": "a", "identity": "ed25519:abc"}, "fingerprint of a root key"),
        ({"file": "a", "identity": IDENTITY.upper()}, "fingerprint of a root key"),
        ({"file": "a", "identity": IDENTITY + "\n"}, "fingerprint of a root key"),
        ({"file": "a", "kinds": {"x": "two words"}}, "is a word of letters"),
        ({"file": "a", "kinds": {"": "police"}}, "is a word of letters"),
        ({"file": "a", "as_of": "soon"}, "date"),
        ({"file": "a", "delimiter": ";"}, "this key is not known"),
    ],
)
def test_mistakes_are_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        read(**keys)
    assert any(word in str(caught.value) for word in (why, "unknown")), str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://sanvera.example/r.zip",
        "ftp://sanvera.example/r.zip",
        "file:///etc/passwd",
        "//sanvera.example/r.zip",
        "r.zip",
        "",
        "https://",
        "https:///r.zip",
        "https://user:word@sanvera.example/r.zip",
        "https://@sanvera.example/r.zip",
        "https://sanvera.example:99999/r.zip",
        "https://sanvera.example/a b.zip",
        "https://sanvera.example/\r\nHost: other",
        "https://sanvera.example\\@127.0.0.1/",
        "https://[::1/r.zip",
        "http://127.0.0.1.example/r.zip",
        "http://localhost.example/r.zip",
        "https://sanverä.example/r.zip",
        "https://a.example/" + "a" * 2000,
    ],
)
def test_addresses_that_are_not_plain_https_are_refused(url: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        read(url=url)
    assert caught.value.problems[0].code == "key-wrong"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/r.zip", "http://localhost/r.zip", "http://[::1]:1/r.zip"])
def test_http_is_for_this_machine(url: str) -> None:
    assert read(url=url).url == url


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(text: str) -> None:
    for url in (text, "https://" + text, "http://127.0.0.1" + text):
        try:
            check_url(url)
        except ValueError:
            continue
        assert url.isascii()
        assert url.startswith(("https://", "http://", "HTTP", "http", "Http"))
