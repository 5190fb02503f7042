// The JSON document of a map, as the hub serves it.
import type { Words } from "../shared/stage.ts";

export type Status = "ok" | "unreliable" | "withheld" | "none";

/** One area. `label` says value and interval in words, as the table does. */
export interface Place {
  id: string;
  name: string;
  status?: Status; // ok where it is missing
  value?: number | null; // put into a class by the limits, unless `class` says which
  class?: number; // 0 is the lowest
  label?: string;
  href?: string; // the page of the place, on this site
}

export interface MapDocument {
  geojson?: string; // address of the areas …
  pmtiles?: { url: string; layer: string }; // … or of their tiles
  id?: string; // property that holds the place's id; "id" unless named
  values?: string; // address of {"places": […]}, unless they stand here
  places?: Place[];
  scale?: "amount" | "change"; // cividis, or a diverging pair
  limits?: number[]; // rising; a value that equals a limit belongs to the class above it
  classes: string[]; // one label a class, lowest first; at most five
  bounds: [west: number, south: number, east: number, north: number];
  points?: string; // address of anonymous points (GeoJSON): shown in clusters
  basemap?: { tiles: string[]; attribution: string; tileSize?: number };
  language?: string;
  words?: Words; // map, table, view, place, choose, open, whole, unreliable, withheld, none, zoom_in, zoom_out, close, scroll, touch
}
