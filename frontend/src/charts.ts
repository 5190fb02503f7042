// Entry: draws the charts of a page. Vega is loaded only where there is one.
import "./css/figures.css";
import { eachFigure } from "./shared/stage.ts";

eachFigure("figure.chart[data-chart]", async () => (await import("./chart/draw-chart.ts")).drawChart);
