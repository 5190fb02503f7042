"""The SQL texts. Plain enough for DuckDB and Spark alike: no function, type or syntax that only one of them knows."""

from __future__ import annotations

from collections.abc import Sequence


def quote(name: str) -> str:
    """An identifier in double quotes (Spark: with `spark.sql.ansi.doubleQuotedIdentifiers`).

    Raises
    ------
    ValueError
        If it holds a character that no column name can have.

    Examples
    --------
    >>> quote('a "b"')
    '"a ""b\"""'
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot name a column")
    return '"' + name.replace('"', '""') + '"'


def group_text(source: str, keys: Sequence[str], sums: Sequence[str], where: str | None = None) -> str:
    r"""Sums by keys; cells in which every sum is zero are left out.

    The order is that of the keys: text by its bytes, missing keys last. The sums are cast to 64-bit integers, which
    both engines refuse to do, loudly, where a sum does not fit.

    Examples
    --------
    >>> print(group_text("t", ["a"], ["n"]).replace(" GROUP BY", "\nGROUP BY"))
    SELECT "a", CAST(COALESCE(SUM("n"), 0) AS BIGINT) AS "n" FROM "t"
    GROUP BY "a" HAVING SUM("n") <> 0 ORDER BY "a" NULLS LAST
    >>> print(group_text("t", [], ["n"]))
    SELECT CAST(COALESCE(SUM("n"), 0) AS BIGINT) AS "n" FROM "t"
    """
    columns = [quote(key) for key in keys]
    totals = [f"CAST(COALESCE(SUM({quote(name)}), 0) AS BIGINT) AS {quote(name)}" for name in sums]
    text = f"SELECT {', '.join([*columns, *totals])} FROM {quote(source)}"
    if where:
        text += f" WHERE {where}"
    if columns:
        some = " OR ".join(f"SUM({quote(name)}) <> 0" for name in sums)
        text += f" GROUP BY {', '.join(columns)} HAVING {some} ORDER BY {in_order(keys)}"
    return text


def in_order(keys: Sequence[str]) -> str:
    """An order that every engine makes alike: left to themselves, Spark puts missing values first, DuckDB last.

    Examples
    --------
    >>> in_order(["a", "b"])
    '"a" NULLS LAST, "b" NULLS LAST'
    """
    return ", ".join(f"{quote(key)} NULLS LAST" for key in keys)
