// The look of all charts, from the colours of the page.
import type { Config } from "vega-lite";
import type { Tokens } from "../shared/tokens.ts";
import { numbersOf } from "./locale.ts";

/** Thin lines, plain words, no box. */
export function configOf(tokens: Tokens, language: string): Config {
  const text = { labelColor: tokens.muted, titleColor: tokens.ink, labelFontSize: 12, titleFontSize: 12 };
  return {
    aria: false, // the figure is one image with a name; its numbers are in the table
    locale: { number: numbersOf(language) },
    background: "transparent",
    font: tokens.font,
    view: { stroke: null },
    axis: { ...text, domainColor: tokens["line-strong"], tickColor: tokens["line-strong"], gridColor: tokens.line },
    axisY: { domain: false, ticks: false },
    legend: { ...text, labelColor: tokens.ink, symbolSize: 70 },
    title: { color: tokens.muted, fontSize: 12, fontWeight: "normal", anchor: "start", subtitleColor: tokens.muted },
    text: { color: tokens.ink, fontSize: 12 },
    point: { color: tokens.accent },
    line: { color: tokens.accent },
    bar: { color: tokens.accent },
    range: { category: [tokens.accent, tokens.second, tokens.third, tokens.fourth, tokens.ink, tokens.muted] },
  };
}
