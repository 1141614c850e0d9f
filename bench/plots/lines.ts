import type { LineSeriesOption } from "echarts";
import { isSpool, strokeOf } from "./colours.js";
import { placesApart } from "./label-places.js";
import type { ResultRecord } from "./result-record.js";
import type { Scale } from "./scales.js";
import { labelOf } from "./words.js";

export interface Line {
  readonly record: ResultRecord;
  /** Not empty, by ascending x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Written at its end with the name, in the line's colour: nobody has to look up a legend. */
  readonly number: string;
}

/** Where lines are drawn. */
export interface LinePlot {
  /** Which of the plots beside each other. */
  readonly plot: number;
  readonly heightPx: number;
  readonly x: Scale;
  readonly y: Scale;
  /** Few points: each is marked. */
  readonly areDotted: boolean;
}

const LABEL_GAP_PX = 15;

export function lineSeries(lines: readonly Line[], where: LinePlot): LineSeriesOption[] {
  const endsPx = lines.map(({ points }) => heightOf(points.at(-1)?.[1] ?? NaN, where));
  const labelsPx = placesApart(endsPx, LABEL_GAP_PX, where.heightPx);
  return lines.map((line, index) => seriesOf(line, where, (labelsPx[index] ?? 0) - (endsPx[index] ?? 0)));
}

/** Pixels from the top of the plot. */
function heightOf(value: number, { y, heightPx }: LinePlot): number {
  const [bottom, top] = [y.place(y.reach[0]), y.place(y.reach[1])];
  return (heightPx * (top - y.place(value))) / (top - bottom);
}

function seriesOf({ record, points, number }: Line, where: LinePlot, labelShiftPx: number): LineSeriesOption {
  const { colour, dash } = strokeOf(record.transport);
  const isOurs = isSpool(record);
  return {
    type: "line",
    xAxisIndex: where.plot,
    yAxisIndex: where.plot,
    data: points.map(([x, y]) => [where.x.place(x), where.y.place(y)]),
    z: isOurs ? 4 : 3,
    silent: true,
    emphasis: { disabled: true },
    showSymbol: where.areDotted,
    symbol: "circle",
    symbolSize: isOurs ? 8 : 5,
    // What failed fades, and shows no number: its line is no claim.
    lineStyle: {
      color: colour,
      width: isOurs ? 3.5 : 1.5,
      type: typeof dash === "string" ? dash : [...dash],
      opacity: record.isClean ? 1 : 0.5,
    },
    itemStyle: { color: colour },
    endLabel: {
      show: true,
      formatter: record.isClean ? `${labelOf(record)} ${number}` : labelOf(record),
      distance: 8,
      offset: [0, labelShiftPx],
      color: colour,
      fontSize: 12,
      fontWeight: isOurs ? "bold" : "normal",
    },
  };
}
