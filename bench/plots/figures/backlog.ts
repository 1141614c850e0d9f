import type { Drawing } from "../adaptive-svg.js";
import { axisOf, namedBelow } from "../axes.js";
import { BAR_HEIGHT_PX, barNames, barSeries, HOW_TO_READ_BARS, type Bar } from "../bars.js";
import { isSpool } from "../colours.js";
import { framed, type PlotArea } from "../frame.js";
import { spreadIn, type Metric, type ResultRecord } from "../result-record.js";
import { linearScale } from "../scales.js";
import { figureOf, remarks, machineOf } from "../words.js";

interface Panel {
  readonly metric: Metric;
  readonly axisName: string;
  readonly leftPx: number;
}

const PANELS: readonly Panel[] = [
  { metric: "firstMessageMs", axisName: "until the first message, ms", leftPx: 250 },
  { metric: "peakRssMiB", axisName: "peak memory, MiB", leftPx: 550 },
];
const PANEL_WIDTH_PX = 190;

/** What a subscriber pays for what waited while it was away: a row for each backlog, time beside memory. */
export function backlog(records: readonly ResultRecord[]): Drawing | undefined {
  const rows = records
    .filter((record) => PANELS.every(({ metric }) => spreadIn(record, metric) !== undefined))
    .sort((a, b) => a.configuration.count - b.configuration.count);
  const [first] = rows;
  if (first === undefined) return undefined;
  const rounds = Math.max(...rows.map((record) => record.rounds.length));
  return framed(
    {
      title: "Backlog: a subscriber starts with messages waiting",
      subtitle: [
        `From the start of its process, ${first.configuration.bytes} bytes, ${rounds} round${rounds === 1 ? "" : "s"}.`,
        machineOf(first),
      ],
      notes: [HOW_TO_READ_BARS, ...descriptionsOf(rows), ...remarks(records)],
      plotHeightPx: rows.length * BAR_HEIGHT_PX,
      headroomPx: 14,
    },
    (area) => {
      const plots = PANELS.map((panel, plot) => plotOf(panel, plot, area, rows));
      return {
        grid: plots.map(({ grid }) => grid),
        xAxis: plots.map(({ xAxis }) => xAxis),
        yAxis: plots.map(({ yAxis }) => yAxis),
        series: plots.flatMap(({ series }) => series),
      };
    },
  );
}

function plotOf(
  { metric, axisName, leftPx }: Panel,
  plot: number,
  { topPx, heightPx }: PlotArea,
  rows: readonly ResultRecord[],
) {
  const bars = rows.flatMap((record) => barOf(record, metric));
  const scale = linearScale(
    bars.map(({ spread }) => spread.highest),
    4,
  );
  return {
    grid: { left: leftPx, width: PANEL_WIDTH_PX, top: topPx, height: heightPx },
    xAxis: { ...axisOf(scale, figureOf), gridIndex: plot, ...namedBelow(axisName) },
    yAxis: { ...barNames(bars, plot === 0), gridIndex: plot },
    series: barSeries(bars, plot),
  };
}

function barOf(record: ResultRecord, metric: Metric): Bar[] {
  const spread = spreadIn(record, metric);
  if (spread === undefined) return [];
  return [
    {
      name: `${record.configuration.count.toLocaleString("en-US")} waiting`,
      note: record.transport,
      spread,
      label: record.isClean ? figureOf(spread.median) : "FAILED",
      isClean: record.isClean,
      isOurs: isSpool(record),
    },
  ];
}

function descriptionsOf(rows: readonly ResultRecord[]): string[] {
  return [...new Set(rows.map(({ transport, description }) => `${transport}: ${description}.`))];
}
