// Entry: draws the maps of a page. MapLibre is loaded only where there is one.
import "./css/figures.css";
import { eachFigure } from "./shared/stage.ts";

eachFigure("figure.map[data-map]", async () => (await import("./map/draw-map.ts")).drawMap);
