"""What observatory.toml says of a source that is another observatory's releases."""

from __future__ import annotations

import re
from datetime import date
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from safercities.collect.file_spec import DimensionFrom
from safercities.model.spec import Spec

#: The fingerprint of a root key.
_IDENTITY = re.compile(r"ed25519:[0-9a-f]{64}")


class ReleaseSpec(Spec):
    """`kind = "release"`: what another observatory published, a city's for a country, a country's for a region."""

    kind: Literal["release"] = Field(description="What the source is.")
    label: str | None = Field(default=None, description="Name shown to people; default: the observatory's own.")
    file: str | None = Field(
        default=None,
        description="Folder with its releases, folder of one release, or a `.zip` of either; beside observatory.toml.",
    )
    url: str | None = Field(
        default=None,
        description="https address of such a `.zip`, in place of `file`. It is got when you ask for it, and kept.",
    )
    identity: str | None = Field(
        default=None,
        description="Fingerprint of its root key, as ed25519:…, which the observatory tells you by a way that you "
        "trust. Without it nothing is taken; `safercities check` then shows the fingerprint that was found.",
    )
    place: str | None = Field(
        default=None,
        description="Code of the place that its releases must be of. With it, a member counts as one without data even "
        "before its first release is here.",
    )
    kinds: dict[str, str] = Field(
        default={},
        description='Source as the releases name it → kind, as { police_2024 = "police" }: sources of one kind make '
        "one series of several members. Default: its own name.",
    )
    as_of: date | None = Field(
        default=None, description="Take only what was published up to this day: the numbers as they stood then."
    )

    @property
    def dimensions(self) -> dict[str, DimensionFrom]:
        """None: breakdowns are those that were published."""
        return {}

    @field_validator("identity")
    @classmethod
    def _is_fingerprint(cls, identity: str | None) -> str | None:
        if identity is not None and not _IDENTITY.fullmatch(identity):
            raise ValueError("it is the fingerprint of a root key: ed25519: and 64 digits and letters a–f")
        return identity

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        if url is not None:
            check_url(url)
        return url

    @field_validator("kinds")
    @classmethod
    def _are_names(cls, kinds: dict[str, str]) -> dict[str, str]:
        for name, kind in kinds.items():
            if not name or not re.fullmatch(r"[\w-]{1,60}", kind):
                raise ValueError(f"the kind of {name[:60]!r} is a word of letters, digits, - and _")
        return kinds

    @model_validator(mode="after")
    def _one_origin(self) -> ReleaseSpec:
        if (self.file is None) == (self.url is None):
            raise ValueError("say either file or url: where its releases are")
        return self


def check_url(url: str) -> None:
    """Refuse addresses that are not plain https; http is for this machine only.

    Raises
    ------
    ValueError
        Saying what is wrong with it.

    Examples
    --------
    >>> check_url("https://sanvera.example/releases.zip")
    >>> check_url("http://sanvera.example/releases.zip")
    Traceback (most recent call last):
    ...
    ValueError: it must begin with https://: what comes by http can be read and held back on the way
    """
    if len(url) > 2000 or not url.isascii() or any(ord(one) <= 32 or ord(one) == 127 for one in url):
        raise ValueError("it is no address: write spaces and letters beyond a–z as %20 and so on")
    parts = urlsplit(url)  # a port that is none, or broken brackets, are ValueErrors too
    _ = parts.port
    if not parts.hostname or "\\" in url:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a name or password: observatory.toml is shared")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("it must begin with https://: what comes by http can be read and held back on the way")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its written address (`localhost` is taken for it).

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost.example")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
