// How Vega writes numbers in the page's language.
import type { Locale } from "vega";

type Numbers = NonNullable<Locale["number"]>;

/** Decimal mark, grouping and digits as Intl knows them. */
export function numbersOf(language: string): Numbers {
  const parts = new Intl.NumberFormat(language).formatToParts(-1234567.8);
  const part = (type: string, otherwise: string) => parts.find((one) => one.type === type)?.value ?? otherwise;
  const digits = new Intl.NumberFormat(language, { useGrouping: false });
  return {
    decimal: part("decimal", "."),
    thousands: part("group", " "),
    grouping: [3],
    currency: ["", ""],
    numerals: Array.from({ length: 10 }, (_, digit) => digits.format(digit)) as Numbers["numerals"],
    minus: "−",
  };
}
