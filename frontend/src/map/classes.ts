// Which class each place stands in, and how the map asks for it.
import type { ExpressionSpecification, FilterSpecification } from "maplibre-gl";
import type { TokenName, Tokens } from "../shared/tokens.ts";
import type { MapDocument, Place } from "./document.ts";

/** What a place is drawn as: a class, hatched or not, or one of the two ways of having no number. */
export function classOf(place: Place, limits: number[] = []): number | undefined {
  if (place.status === "withheld" || place.status === "none") return undefined;
  if (place.class !== undefined) return place.class;
  const value = place.value;
  if (value === null || value === undefined || !Number.isFinite(value)) return undefined;
  return limits.filter((limit) => value >= limit).length;
}

/** `none` also where a place has no number and no reason was given. */
export function statusOf(place: Place, limits?: number[]): NonNullable<Place["status"]> {
  if (place.status === "withheld") return "withheld";
  return classOf(place, limits) === undefined ? "none" : (place.status ?? "ok");
}

/** Token of a class: the darkest for most on a light page. Fewer than five classes spread over the same range. */
export function tokenOf(index: number, count: number, scale: MapDocument["scale"]): TokenName {
  const step = count < 2 ? 0 : Math.round((index * 4) / (count - 1));
  return `${scale ?? "amount"}-${Math.min(step, 4) + 1}` as TokenName;
}

/** Colour by the id of an area; one that no row names is plain. */
export function colours(document: MapDocument, places: Place[], tokens: Tokens): ExpressionSpecification | string {
  const byClass = new Map<number, string[]>();
  for (const place of places) {
    const index = classOf(place, document.limits);
    if (index !== undefined) groupInto(byClass, index, place.id);
  }
  if (!byClass.size) return tokens["map-none"];
  const count = document.classes.length;
  const cases = [...byClass].flatMap(([index, ids]) => [ids, tokens[tokenOf(index, count, document.scale)]]);
  return ["match", idOf(document), ...cases, tokens["map-none"]] as unknown as ExpressionSpecification;
}

/** Areas of these ids. */
export function among(document: MapDocument, ids: string[]): FilterSpecification {
  if (!ids.length) return ["literal", false] as unknown as FilterSpecification;
  return ["match", idOf(document), ids, true, false] as unknown as FilterSpecification;
}

export const idOf = (document: MapDocument): ExpressionSpecification => ["to-string", ["get", document.id ?? "id"]];

function groupInto(groups: Map<number, string[]>, key: number, id: string): void {
  const group = groups.get(key);
  if (group) group.push(id);
  else groups.set(key, [id]);
}
