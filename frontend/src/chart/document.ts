// The JSON document of a chart, as the hub serves it.
import type { TopLevelSpec } from "vega-lite";
import type { Words } from "../shared/stage.ts";

export type Status = "ok" | "unreliable" | "withheld" | "none";

/** One estimate. Its number is drawn; what is said of it in words comes from the server, as in the table. */
export interface Row {
  period?: string; // ISO 8601, as in the estimates
  when?: string; // the period in the page's language
  name?: string; // of the place or category (bars, dots)
  group?: string; // of the line or mark, in the page's language
  value?: number | null;
  lower?: number | null;
  upper?: number | null;
  status?: Status; // ok where it is missing
  label?: string; // value with interval, in words: what the pointer shows
}

export interface ChartDocument {
  kind?: "trend" | "bars" | "dots";
  spec?: TopLevelSpec; // instead of kind: a whole Vega-Lite spec with its data inside
  rows?: Row[];
  unit?: string;
  zero?: boolean; // trend: the axis begins at 0 unless this is false
  reference?: { value: number; label: string };
  source?: string; // a line under the title of downloaded images
  file?: string; // name of downloaded images, without ending
  language?: string;
  words?: Words; // chart, table, view, png, svg, unreliable, withheld
}
