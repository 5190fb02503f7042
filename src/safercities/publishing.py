"""Publishes: what was protected is attacked as a whole, and written as a signed release; or nothing is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safercities import config, contents, federating, files
from safercities.disclose import journal
from safercities.disclose.plan import PlannedPeriod
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.protecting import JOURNAL, Protection

if TYPE_CHECKING:
    from safercities.disclose.attack import Published as Seen
    from safercities.disclose.counts import Guarded
    from safercities.observatory import Observatory
    from safercities.release.content import Content
    from safercities.release.store import KeyStore
    from safercities.release.verify import Verified

#: Folder of the releases, which anybody may read.
RELEASES = "releases"


@dataclass(frozen=True)
class Published:
    """What a run of `publish` made.

    Parameters
    ----------
    folder
        The release.
    estimates
        What it says.
    problems
        What was left out and why, for the office.
    """

    folder: Path
    estimates: Estimates
    problems: tuple[Problem, ...]


def publish(
    observatory: Observatory,
    *,
    published: date | None = None,
    reason: str | None = None,
    supersedes: str | None = None,
    keys: KeyStore | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    seal: str | None = None,
) -> Published:
    """Protect what the observatory measures, attack it, and write it as the next release of `releases/`.

    The true counts behind it are kept in `private/`, for the next release to be attacked with. Both appear whole or
    not at all. A run that was killed can be repeated: it gives the same release, once.

    Parameters
    ----------
    published
        Day of publication; default: by this machine's clock.
    supersedes, reason
        Id (or folder name) of an earlier release that this one corrects, and why. Both or neither.
    keys
        Default: those of the observatory's place on this machine.
    progress
        Told what is being done; default: the observatory's own.
    seal
        That of a `preview`: what says anything else is not published.

    Raises
    ------
    UsageError
        If only one of `supersedes` and `reason` is given, or there is no such release.
    SafercitiesError
        If an input or rule is wrong, nothing is new, or something could be deduced that must not be. Nothing is
        written then but the private log of what could be deduced.
    """
    from safercities.release.store import KeyStore

    if (supersedes is None) != (reason is None) or (reason is not None and not reason.strip()):
        raise UsageError(problem("publish-reason"))
    keys = keys if keys is not None else KeyStore.open(observatory.place.id)
    private = federating.private(observatory)
    with files.locked(private / "publish"):
        run = _Run(observatory, published or date.today(), reason, supersedes, keys, progress or observatory.progress)
        run.seal = seal
        return run.publish()


@dataclass(frozen=True)
class Preview:
    """What `publish` would say, before anything is published.

    Parameters
    ----------
    estimates
        The protected estimates.
    problems
        What is left out and why, for the office.
    seal
        Hash of the estimates as a release holds them: given to `publish`, it publishes this or nothing.
    """

    estimates: Estimates
    problems: tuple[Problem, ...]
    seal: str


def preview(
    observatory: Observatory,
    *,
    published: date | None = None,
    supersedes: str | None = None,
    keys: KeyStore | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Preview:
    """Protect and attack as `publish` does, and write no release and no journal. What it takes and raises is the same.

    Raises
    ------
    UsageError, SafercitiesError
        As `publish`. Where something could be deduced, that stands in the private log only.
    """
    from safercities.release.store import KeyStore

    keys = keys if keys is not None else KeyStore.open(observatory.place.id)
    with files.locked(federating.private(observatory) / "publish"):
        run = _Run(observatory, published or date.today(), None, supersedes, keys, progress or observatory.progress)
        return run.preview()


class _Run(Protection):
    """One run, while nobody else publishes."""

    #: What the estimates must hash to, if somebody has seen them before.
    seal: str | None = None

    def __init__(
        self,
        observatory: Observatory,
        published: date,
        reason: str | None,
        supersedes: str | None,
        keys: KeyStore,
        progress: Callable[[str, int, int], None],
    ) -> None:
        from safercities.release.chain import read_chain

        self.releases = observatory.folder / RELEASES
        chain = read_chain(self.releases, identity=keys.identity, newer=keys.ledger)
        super().__init__(observatory, published, keys, chain, progress)
        self.reason, self.supersedes = reason, self._named(supersedes) if supersedes is not None else None

    def _named(self, given: str) -> str:
        """Id of the release that is meant."""
        for each in self.chain:
            if given in (each.id, each.path.name):
                return each.id
        known = ", ".join(each.path.name for each in self.chain) or "none"
        raise UsageError(problem("publish-supersedes", given=given, known=known))

    def publish(self) -> Published:
        """Make the release."""
        parts = self.plan(self.supersedes)
        if not parts and self.observatory.federation is None:
            return self._again()
        content = self._content(parts)
        if self.chain and not parts and self._says(content.estimates, self.chain[-1]):
            self._check_seal(_seal_of(self.chain[-1]))
            return Published(self.chain[-1].path, content.estimates, tuple(self.problems))
        self._attack(content)
        return self._write(content)

    def preview(self) -> Preview:
        """What the release would say."""
        parts = self.plan(self.supersedes)
        if not parts and self.observatory.federation is None:
            last = str(self.chain[-1].path) if self.chain else config.FILE
            code = "publish-nothing-new" if self.chain else "publish-nothing"
            raise SafercitiesError([*self.problems, problem(code, file=last)])
        content = self._content(parts)
        if self.chain and not parts and self._says(content.estimates, self.chain[-1]):
            raise SafercitiesError([*self.problems, problem("publish-nothing-new", file=str(self.chain[-1].path))])
        self._attack(content)
        return Preview(content.estimates, tuple(dict.fromkeys(self.problems)), self._sealed(content.estimates))

    def _check_seal(self, found: str) -> None:
        """What was seen before is what is published, or nothing is."""
        if self.seal is not None and found != self.seal:
            raise SafercitiesError([*self.problems, problem("publish-unseen", file=config.FILE, column="publish")])

    def _sealed(self, estimates: Estimates) -> str:
        """Hash of the estimates as a release holds them."""
        from safercities.release.table import write_parquet

        with tempfile.TemporaryDirectory(dir=self.private, prefix=".estimates-") as made:
            write_parquet(estimates, Path(made) / "estimates.parquet")
            return files.sha256(Path(made) / "estimates.parquet")

    def _says(self, made: Estimates, release: Verified) -> bool:
        """Whether a release says the same."""
        from safercities.release.earlier import read

        return bool(made.table.equals(read(release, self.keys).sort().table))

    def _again(self) -> Published:
        """Nothing is new. If the last release says what this one would say, a run is repeated: it is the same."""
        if not self.chain:
            raise SafercitiesError([*self.problems, problem("publish-nothing", file=config.FILE, column="publish")])
        last, before = self.chain[-1], list(self.problems)
        self.chain, self.problems = self.chain[:-1], []
        self.__dict__.pop("earlier", None)
        self.supersedes, self.reason = last.manifest.supersedes, last.manifest.reason
        self.published = last.manifest.published
        parts = self.plan(self.supersedes)
        made = self._content(parts).estimates if parts else Estimates.empty()
        if not self._says(made, last):
            raise SafercitiesError([*before, problem("publish-nothing-new", file=str(last.path))])
        self._check_seal(_seal_of(last))
        return Published(last.path, made, tuple(before))

    def _content(self, parts: Sequence[PlannedPeriod]) -> Content:
        """The release: what the observatory's own sources say, protected and proved, and what its members published."""
        own = self.own(parts) if parts else None
        told: dict[str, Any] = {"published": self.published, "supersedes": self.supersedes, "reason": self.reason}
        if self.observatory.federation is not None:
            made = (
                None
                if own is None
                else contents.content(self.observatory, own, parts, self.everything, points=self.points, **told)
            )
            return federating.content(self.observatory, own=made, **told)
        if own is None or not len(own):
            raise SafercitiesError([*self.problems, problem("publish-nothing", file=config.FILE, column="publish")])
        return contents.content(self.observatory, own, parts, self.everything, points=self.points, **told)

    def _attack(self, content: Content) -> None:
        """Read the release as anybody will, with all earlier ones, and deduce what can be deduced.

        Raises
        ------
        SafercitiesError
            If there is anything; what, stands in the private log only.
        """
        from safercities.disclose.attack import attack

        self.progress("attack the release", 0, 1)
        seen = [*(self._seen(each) for each in self.chain), _shown(content)]
        report = attack(seen, progress=self.progress)
        if report.uniform:
            said: dict[str, Any] = {"groups": len(report.uniform), "first": report.uniform[0].what}
            self.problems.append(problem("publish-uniform", file=config.FILE, column="publish.attributes", **said))
        if report.openings:
            self.refuse({"openings": [asdict(one) for one in report.openings]})
            raise SafercitiesError(
                problem("publish-attack", file=config.FILE, column="publish", openings=len(report.openings))
            )

    def _seen(self, each: Verified) -> Seen:
        """An earlier release as anybody reads it, with the places and labels of its own day."""
        from safercities.release.attacked import published
        from safercities.release.verify import open_release

        return published(open_release(each.path, identity=self.keys.identity))

    def _write(self, content: Content) -> Published:
        """Keep what stands behind it, then write the release: a journal without a release is never read."""
        from safercities.release.write import write_release

        seal = self._sealed(content.estimates)
        self._check_seal(seal)
        entries = tuple(one.entry() for one in self.everything)
        log = {"withheld": [told for one in self.everything for told in _withheld(one)], "surveys": self.log}
        journal.write(
            self.private / JOURNAL, journal.Record(len(self.chain) + 1, seal, entries, log, tuple(self.waves))
        )
        self.progress("write the release", 0, 1)
        folder = write_release(content, self.releases, self.keys)
        self.progress("write the release", 1, 1)
        return Published(folder, content.estimates, tuple(dict.fromkeys(self.problems)))


def _seal_of(release: Verified) -> str:
    """Hash of a release's estimates."""
    return release.manifest.files["estimates.parquet"].sha256


def _withheld(one: Guarded) -> Iterator[dict[str, str]]:
    """What is withheld, and whether for its own sake. Private."""
    if one.published is None or one.primary is None:
        return
    for cell in np.flatnonzero(~one.published).tolist():
        why = "small, or discloses an attribute" if one.primary[cell] else "another cell would follow from it"
        yield {"cell": one.family.label(cell), "why": why}


def _shown(content: Content) -> Seen:
    """A content as the attacker sees it."""
    from safercities.disclose.attack import Published as Seen
    from safercities.disclose.attack_acts import definitions_of

    labels = {name: dict(codes) for name, codes in content.dimensions.items()}
    return Seen(
        "this release",
        content.estimates,
        content.rules,
        content.places,
        content.place.id,
        labels,
        content.denominators,
        definitions_of(content.indicators.values()),
    )
