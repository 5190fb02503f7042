// Where a period lies in time, so that a missing year leaves a gap.

const FORM = /^(\d{4})(?:-(?:(\d{2})(?:-(\d{2}))?|([QSTH])(\d)))?(?:\/.*)?$/;
const MONTHS: Record<string, number> = { Q: 3, T: 4, S: 6, H: 6 };

/** First moment (ms, UTC) of an ISO 8601 or SDMX period; nothing where it is of another form (a week, a wave's name). */
export function startOf(period: string): number | undefined {
  const found = FORM.exec(period);
  if (!found) return undefined;
  const [, year, month, day, letter, part] = found;
  const first = letter ? (Number(part) - 1) * (MONTHS[letter] ?? 0) : Number(month ?? 1) - 1;
  return first > 11 ? undefined : Date.UTC(Number(year), first, Number(day ?? 1));
}
