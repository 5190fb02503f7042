"""`README.md` of a release: for people, in plain words, what it is, how to read it, how it is protected and checked."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safercities.model.printable import one_line
from safercities.release.texts import MARKS, Texts, spoken

if TYPE_CHECKING:
    from safercities.release.content import Content

#: Files in the order in which a reader wants them.
_FILES = {
    "README.md": "file_readme",
    "tables.xlsx": "file_tables",
    "data.csv": "file_data",
    "structure.xml": "file_structure",
    "estimates.parquet": "file_parquet",
    "manifest.json": "file_manifest",
    "manifest.sig": "file_signature",
    "keys.json": "file_keys",
}
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~@^$])")
_LINK = re.compile(r"(?i)(:)(?=/)|(?<=www)(\.)")
#: What Markdown takes for a list, a line or a heading where a line begins so.
_START = re.compile(r"^([0-9]*)([-+=.)])")


def write_readme(content: Content, path: Path, manifest: Mapping[str, Any]) -> None:
    """Write the README, in each of the observatory's languages that it can be written in, the main one first.

    Parameters
    ----------
    manifest
        What the manifest says: `key` (fingerprint of the signing key), `coverage`, and `licence` where one is given.
    """
    parts = ["\n".join(_page(content, manifest, Texts(language))) for language in spoken(content.languages)]
    path.write_text("\n\n---\n\n".join(parts) + "\n", encoding="utf-8", newline="\n")


def markdown(text: object) -> str:
    r"""A text that came from elsewhere, on one line, such that Markdown shows it as it is: no HTML, links, marks.

    Source: CommonMark 0.31.2, section 2.4, "Backslash escapes"; GitHub Flavored Markdown, section 6.9, "Autolinks".

    Examples
    --------
    >>> markdown("<b>*x*</b>"), markdown("1. [a](http://b)"), markdown("- San José (1)")
    ('&lt;b&gt;\\*x\\*&lt;/b&gt;', '1\\. \\[a\\](http\\://b)', '\\- San José (1)')
    """
    made = _MARKUP.sub(r"\\\1", one_line(str(text)).strip())
    made = _LINK.sub(lambda match: "\\" + match[0], made)
    return html.escape(_START.sub(r"\1\\\2", made), quote=False)


def code(text: object) -> str:
    r"""A code as Markdown shows it in a table too, whatever it holds.

    Examples
    --------
    >>> code("CO-MDE.01"), code("a`b|c")
    ('`CO-MDE.01`', 'a\\`b\\|c')
    """
    plain = one_line(str(text))
    return f"`{plain}`" if re.fullmatch(r"[A-Za-z0-9_.:/%-]+", plain) else markdown(plain)


def protection(rules: Mapping[str, object], texts: Texts) -> Iterator[str]:
    """Sentences that say how people are protected, of the rules that the release was made under.

    Parameters
    ----------
    rules
        As far as they are there: `method` (rounding or suppression), `minimum_count` or `minimum` (one number, or
        several by name), `error` (name → size).
    """
    if rules.get("method") in ("rounding", "suppression"):
        yield texts(f"rule_{rules['method']}")
    if (least := rules.get("minimum_count", rules.get("minimum"))) is not None:
        yield texts("minimum", k=_plain(least))
    if sizes := rules.get("error"):
        yield texts("error", sizes=_plain(sizes))
    yield texts("attacked")


def _plain(value: object) -> str:
    """A value of the rules in words: `name: value`, separated by commas."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------------------------------------------------------- page


def _page(content: Content, manifest: Mapping[str, Any], texts: Texts) -> Iterator[str]:
    """Lines of the page in one language."""
    name, day = markdown(content.name), content.published.isoformat()
    yield f"# {texts('title', name=name, period=markdown(content.period))}"
    if content.synthetic:
        yield from ("", f"> {texts('synthetic')}")
    yield from ("", texts("published", day=day, name=name, place=code(content.place.id)))
    yield texts("made_with", version=code(content.version))
    yield from _section(texts("what"), texts("what_text"))
    if content.supersedes is not None:
        reason = markdown(content.reason or "")
        yield from _section(texts("corrections"), texts("supersedes", id=code(content.supersedes), reason=reason))
    yield from _section(texts("reading"), texts("interval"), *_legend(texts))
    yield from _section(texts("protection"), *map(markdown, protection(content.rules, texts)))
    yield from _section(texts("not_promised"), texts("not_promised_text"))
    yield from _verifying(manifest, texts)
    if licence := manifest.get("licence") or content.rules.get("licence"):
        yield from _section(texts("licence"), markdown(licence))
    yield from _section(texts("files"), "\n".join(f"- `{file}`: {texts(said)}" for file, said in _FILES.items()))
    yield from _indicators(content, texts)
    yield from _sources(content, manifest, texts)


def _section(title: str, *paragraphs: str) -> Iterator[str]:
    yield from ("", f"## {title}")
    for paragraph in paragraphs:
        yield from ("", paragraph)


def _legend(texts: Texts) -> Iterator[str]:
    for why in MARKS:
        yield texts(f"legend_{why}", mark=markdown(texts.marked(why)))


def _verifying(manifest: Mapping[str, Any], texts: Texts) -> Iterator[str]:
    """What to run, and the fingerprint to compare."""
    yield from _section(texts("verifying"), texts("verify_text"), "```sh\nsafercities verify .\n```")
    if manifest.get("key"):
        yield from ("", texts("key", key=code(manifest["key"])))


def _indicators(content: Content, texts: Texts) -> Iterator[str]:
    """Every indicator with the versions of its definition that were used."""
    used = content.estimates.table.group_by(["indicator", "version"]).aggregate([]).to_pylist()
    head = [texts("indicator"), texts("version"), texts("meaning"), texts("definition")]
    rows = []
    for each, found in content.indicators.items():
        versions = sorted(row["version"] or "" for row in used if row["indicator"] == each)
        newest = found.on()
        rows.append([code(each), ", ".join(map(code, versions)), markdown(newest.label), markdown(newest.definition)])
    yield from _section(texts("indicators"), _table(head, rows))


def _sources(content: Content, manifest: Mapping[str, Any], texts: Texts) -> Iterator[str]:
    head = [texts("source"), texts("meaning"), texts("unit"), texts("covers")]
    rows = [
        [
            code(one.name),
            markdown(" – ".join(filter(None, (one.label, one.population)))),
            _known(one.unit),
            "–" if one.covers is None else code(one.covers),
        ]
        for one in content.series
    ]
    yield from _section(texts("sources"), _table(head, rows))
    covered = manifest.get("coverage") or []
    if covered:
        head = [texts("indicator"), texts("source"), texts("rows"), texts("withheld"), texts("placed")]
        yield from _section(texts("coverage"), _table(head, map(_covered, covered)))


def _known(value: str | None) -> str:
    return "–" if value is None else markdown(value)


def _covered(row: Mapping[str, Any]) -> list[str]:
    lowest = row.get("lowest")
    share = "–" if lowest is None else f"{100 * lowest:.0f}"
    return [code(row["indicator"]), _known(row.get("source")), str(row["estimates"]), str(row["withheld"]), share]


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
