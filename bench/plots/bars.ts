import type { CustomSeriesOption, BarSeriesOption, YAXisComponentOption } from "echarts";
import { COLOURS } from "./colours.js";
import { FONTS } from "./frame.js";
import type { Spread } from "../report/statistics.js";

export interface Bar {
  readonly name: string;
  /** A second line under the name; a long one is cut. */
  readonly note: string;
  readonly spread: Spread;
  /** At the end of the whisker. */
  readonly label: string;
  readonly isOurs: boolean;
  /** What is not clean fades: its length is no claim. */
  readonly isClean: boolean;
}

export const HOW_TO_READ_BARS = "Bars are medians of the rounds, whiskers reach from the lowest round to the highest.";

export const BAR_HEIGHT_PX = 40;
const NOTE_CHARACTERS = 36;

/** The names of the bars, the first on top; of plots beside each other, the first shows them. */
export function barNames(bars: readonly Bar[], areShown = true): YAXisComponentOption {
  return {
    type: "category",
    inverse: true,
    data: bars.map((_, row) => String(row)),
    axisLine: { lineStyle: { color: COLOURS.quietInk } },
    axisTick: { show: false },
    axisLabel: {
      show: areShown,
      interval: 0,
      margin: 10,
      formatter: (row: string) => {
        const bar = bars[Number(row)];
        return bar === undefined ? "" : `{${bar.isOurs ? "ours" : "peer"}|${bar.name}}\n{note|${shortened(bar.note)}}`;
      },
      rich: {
        ours: { fontSize: 13, fontWeight: "bold", lineHeight: 17, color: COLOURS.spool, align: "right" },
        peer: { fontSize: 13, lineHeight: 17, color: COLOURS.ink, align: "right" },
        note: { fontSize: 11, lineHeight: 14, color: COLOURS.quietInk, align: "right" },
      },
    },
  };
}

/** Medians as lengths, and over each the whisker from the lowest round to the highest, with the number at its end. */
export function barSeries(bars: readonly Bar[], plot = 0): (BarSeriesOption | CustomSeriesOption)[] {
  return [
    {
      type: "bar",
      xAxisIndex: plot,
      yAxisIndex: plot,
      silent: true,
      emphasis: { disabled: true },
      barWidth: 20,
      data: bars.map(({ spread, isOurs, isClean }) => ({
        value: spread.median,
        itemStyle: { color: isOurs ? COLOURS.spool : COLOURS.peerBar, opacity: isClean ? 1 : 0.4 },
      })),
    },
    {
      type: "custom",
      xAxisIndex: plot,
      yAxisIndex: plot,
      silent: true,
      z: 4,
      data: bars.map(({ spread }, row) => [row, spread.lowest, spread.highest]),
      renderItem: (_, api) => {
        const row = Number(api.value(0));
        const [fromPx = 0, y = 0] = api.coord([api.value(1), row]);
        const [toPx = 0] = api.coord([api.value(2), row]);
        const stroke = { stroke: COLOURS.ink, fill: "none", lineWidth: 1.25 };
        const line = (x1: number, y1: number, x2: number, y2: number) =>
          ({ type: "line", shape: { x1, y1, x2, y2 }, style: stroke }) as const;
        const bar = bars[row];
        return {
          type: "group",
          children: [
            line(fromPx, y, toPx, y),
            line(fromPx, y - 4, fromPx, y + 4),
            line(toPx, y - 4, toPx, y + 4),
            {
              type: "text",
              x: toPx + 8,
              y,
              style: {
                text: bar?.label ?? "",
                verticalAlign: "middle",
                fontFamily: FONTS,
                fontSize: 12,
                fontWeight: bar?.isOurs === true ? "bold" : "normal",
                fill: COLOURS.ink,
              },
            },
          ],
        };
      },
    },
  ];
}

function shortened(note: string): string {
  return note.length <= NOTE_CHARACTERS ? note : `${note.slice(0, NOTE_CHARACTERS - 1).trimEnd()}…`;
}
