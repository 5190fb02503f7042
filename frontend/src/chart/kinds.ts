// Vega-Lite specs of the three kinds of chart. An interval is always drawn; what is withheld is never drawn as a number.
import type { TopLevelSpec } from "vega-lite";
import { say } from "../shared/stage.ts";
import type { Tokens } from "../shared/tokens.ts";
import type { ChartDocument, Row } from "./document.ts";
import { startOf } from "./periods.ts";

/** Under this width (px) names stand over their marks instead of beside them. */
const NARROW = 480;
/** Room (px) for one entry of the legend. */
const LEGEND = 170;
const SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"];

interface Mark {
  order: number;
  at?: number | string;
  name: string;
  group: string;
  value: number | null;
  lower: number | null;
  upper: number | null;
  status: string;
  tip: string;
}

type Part = Record<string, unknown>;

/** The spec of a document for a width in px. */
export function specOf(document: ChartDocument, tokens: Tokens, width: number): TopLevelSpec {
  if (document.spec) return { ...document.spec, ...("width" in document.spec ? {} : { width }) } as TopLevelSpec;
  const rows = (document.rows ?? []).map(markOf);
  const make = document.kind === "trend" ? trend : strips;
  return { width, autosize: { type: "fit", contains: "padding" }, ...make(document, rows, tokens, width) } as never;
}

function markOf(row: Row, order: number): Mark {
  const hidden = row.status === "withheld" || row.status === "none";
  const number = (value?: number | null) => (hidden || !Number.isFinite(value) ? null : (value as number));
  const title = [row.name, row.group, row.when ?? row.period].filter(Boolean).join(" · ");
  return {
    order,
    at: row.period,
    name: row.name ?? "",
    group: row.group ?? "",
    value: number(row.value),
    lower: number(row.lower),
    upper: number(row.upper),
    status: row.status ?? "ok",
    tip: [title, row.label].filter(Boolean).join("\n"),
  };
}

const distinct = (values: string[]): string[] => [...new Set(values)];
const where = (test: string) => [{ filter: test }];
const KNOWN = "isValid(datum.value)";
const BOUNDED = `${KNOWN} && isValid(datum.lower) && isValid(datum.upper)`;
const WITHHELD = "datum.status === 'withheld'";

/** One colour and one shape a group, so that nobody needs to tell colours apart. */
function byGroup(groups: string[], tokens: Tokens, width: number) {
  const colours = [tokens.accent, tokens.second, tokens.third, tokens.fourth, tokens.ink, tokens.muted];
  const range = (from: string[]) => groups.map((_, index) => from[index % from.length]);
  const columns = Math.max(1, Math.floor(width / LEGEND));
  const legend =
    groups.length > 1 ? { orient: "top", title: null, labelLimit: width - 40, columns, symbolOpacity: 1 } : null;
  const scale = (from: string[]) => ({ domain: groups, range: range(from) });
  return {
    color: { field: "group", type: "nominal", scale: scale(colours), legend },
    shape: { field: "group", type: "nominal", scale: scale(SHAPES), legend },
  };
}

const legendHeight = (groups: string[], width: number): number =>
  groups.length > 1 ? 20 * Math.ceil(groups.length / Math.max(1, Math.floor(width / LEGEND))) : 0;

/** Filled where it is reliable, hollow where it is not. */
function points(document: ChartDocument, groups: string[], tokens: Tokens, width: number, place: Part): Part[] {
  const { color, shape } = byGroup(groups, tokens, width);
  const encoding = { ...place, color, shape, tooltip: { field: "tip" } };
  const mark = { type: "point", size: 60, strokeWidth: 1.8, opacity: 1 };
  const hollow = document.rows?.some((row) => row.status === "unreliable");
  const solid = {
    transform: where(`${KNOWN} && datum.status !== 'unreliable'`),
    mark: { ...mark, filled: true },
    encoding,
  };
  const open = {
    transform: where(`${KNOWN} && datum.status === 'unreliable'`),
    mark: { ...mark, fill: tokens.paper },
    encoding,
  };
  return hollow ? [solid, open] : [solid];
}

function trend(document: ChartDocument, marks: Mark[], tokens: Tokens, width: number): Part {
  const starts = marks.map((mark) => startOf(String(mark.at)));
  const dated = starts.every((start) => start !== undefined);
  const rows = marks.map((mark, index) => ({ ...mark, at: dated ? starts[index] : mark.at }));
  const groups = distinct(rows.map((row) => row.group));
  const names: Record<string, string> = {};
  document.rows?.forEach((row, index) => {
    names[String(rows[index]?.at)] = row.when ?? row.period ?? "";
  });
  const axis = { title: null, grid: false, labelOverlap: "greedy", labelFlush: true, labelAngle: 0 };
  const values = distinct(rows.map((row) => String(row.at)));
  const x = dated
    ? {
        field: "at",
        type: "temporal",
        scale: { type: "utc", padding: 12 },
        axis: { ...axis, values: { expr: "ticks" }, labelExpr: "names[toNumber(datum.value)]" },
      }
    : { field: "at", type: "ordinal", sort: null, axis: { ...axis, labelExpr: "names[datum.value]" } };
  const y = {
    field: "value",
    type: "quantitative",
    title: null,
    scale: { zero: document.zero !== false },
    axis: { format: ",.3~f", tickCount: 5 },
  };
  const { color } = byGroup(groups, tokens, width);
  const interval = { x, y: { ...y, field: "lower" }, y2: { field: "upper" }, color };
  const broken = "break-paths-filter-domains";
  return {
    data: { values: rows },
    height: Math.round(Math.min(320, Math.max(230, width * 0.5))) + legendHeight(groups, width),
    params: [
      { name: "names", value: names },
      { name: "ticks", value: dated ? values.map(Number) : values },
    ],
    layer: [
      { mark: { type: "area", opacity: 0.16, invalid: broken, tooltip: null }, encoding: interval },
      { transform: where(BOUNDED), mark: { type: "rule", opacity: 0.55, strokeWidth: 1.5 }, encoding: interval },
      {
        mark: { type: "line", invalid: broken, strokeWidth: 2 },
        encoding: { x, y, color },
      },
      ...points(document, groups, tokens, width, { x, y }),
      {
        transform: where(WITHHELD),
        mark: { type: "text", text: "×", fontSize: 16, baseline: "bottom", color: tokens.muted },
        encoding: { x, y: { value: "height" }, tooltip: { field: "tip" } },
      },
      ...reference(document, tokens, "y"),
    ],
    title: { text: document.unit ?? "" },
  };
}

/** Bars and dots: one line a name, the interval as a rule. */
function strips(document: ChartDocument, marks: Mark[], tokens: Tokens, width: number): Part {
  const names = distinct(marks.map((mark) => mark.name));
  const groups = distinct(marks.map((mark) => mark.group));
  const narrow = width < NARROW;
  const bars = document.kind === "bars";
  const over = {
    labelAlign: "left",
    labelPadding: -1,
    labelBaseline: "bottom",
    labelOffset: -9 - 4 * (groups.length - 1),
  };
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    title: null,
    scale: { domain: names, paddingInner: narrow ? 0.6 : 0.35, paddingOuter: narrow ? 0.5 : 0.2 },
    axis: {
      ticks: false,
      domain: false,
      labelLimit: narrow ? width : width * 0.45,
      ...(narrow ? over : { labelPadding: 8 }),
    },
  };
  const x = {
    field: "value",
    type: "quantitative",
    title: null,
    scale: { zero: bars || document.zero !== false },
    axis: { format: ",.3~f", tickCount: narrow ? 4 : 6, orient: "bottom" },
  };
  const offset = groups.length > 1 ? { yOffset: { field: "group", scale: { domain: groups } } } : {};
  const { color } = byGroup(groups, tokens, width);
  const tooltip = { field: "tip" };
  const bar = { mark: { type: "bar", opacity: 0.45 }, encoding: { x, y, ...offset, color, tooltip } };
  const rule = {
    transform: where(BOUNDED),
    mark: { type: "rule", strokeWidth: 3, opacity: bars ? 1 : 0.55 },
    encoding: { x: { ...x, field: "lower" }, x2: { field: "upper" }, y, ...offset, color, tooltip },
  };
  const text = {
    transform: where(WITHHELD),
    mark: { type: "text", align: "left", dx: 4, color: tokens.muted, text: say(document.words ?? {}, "withheld") },
    encoding: { x: { value: 0 }, y, ...offset, tooltip },
  };
  return {
    data: { values: marks },
    height: names.length * ((narrow ? 40 : 26) + 16 * (groups.length - 1)) + 40 + legendHeight(groups, width),
    layer: [
      ...(bars ? [bar] : []),
      rule,
      ...points(document, groups, tokens, width, { x, y, ...offset }),
      text,
      ...reference(document, tokens, "x"),
    ],
    title: { text: document.unit ?? "" },
  };
}

/** A dashed line for the value to compare with. */
function reference({ reference: known }: ChartDocument, tokens: Tokens, axis: "x" | "y"): Part[] {
  if (!known) return [];
  const data = { values: [known] };
  const at = { [axis]: { field: "value", type: "quantitative" } };
  const place =
    axis === "y"
      ? { align: "left", baseline: "bottom", x: 2, dy: -3 }
      : { align: "left", baseline: "top", y: 0, dx: 4 };
  return [
    { data, mark: { type: "rule", color: tokens.muted, strokeDash: [4, 3] }, encoding: at },
    { data, mark: { type: "text", color: tokens.muted, ...place }, encoding: { ...at, text: { field: "label" } } },
  ];
}
