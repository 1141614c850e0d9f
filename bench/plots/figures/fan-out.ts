import type { Drawing } from "../adaptive-svg.js";
import { axisOf, namedAbove, namedBelow } from "../axes.js";
import { framed, type PlotArea } from "../frame.js";
import { lineSeries } from "../lines.js";
import { spreadIn, type Metric, type ResultRecord } from "../result-record.js";
import { linearScale, logarithmicScale, type Scale } from "../scales.js";
import { acceptedNote, configurationOf, figureOf, remarks, machineOf } from "../words.js";

interface Panel {
  readonly metric: Metric;
  readonly axisName: string;
  readonly scale: (values: readonly number[]) => Scale;
  readonly leftPx: number;
}

/** After each there is room for the names at the lines' ends. */
const PANELS: readonly Panel[] = [
  {
    metric: "publisherCpuUs",
    axisName: "publisher's CPU, µs a message, logarithmic",
    scale: logarithmicScale,
    leftPx: 60,
  },
  {
    metric: "messagesPerSecond",
    axisName: "delivered a second, to all subscriptions together",
    scale: linearScale,
    leftPx: 458,
  },
];
const PANEL_WIDTH_PX = 192;

/** What one more subscription costs the publisher, and what arrives at all of them: a line for each transport. */
export function fanOut(all: readonly ResultRecord[]): Drawing | undefined {
  const records = all.filter((record) => PANELS.every(({ metric }) => (spreadIn(record, metric)?.median ?? 0) > 0));
  const [first] = records;
  const counts = [...new Set(records.map(subscribersOf))].sort((a, b) => a - b);
  const [fewest = 1, most = 1] = [counts[0], counts.at(-1)];
  if (first === undefined || fewest === most) return undefined;
  const subscriptions: Scale = { place: Math.log2, reach: [fewest, most], marks: counts };
  return framed(
    {
      title: "Fan-out: what more subscriptions cost",
      subtitle: [`${configurationOf(records)}; medians of the rounds.`, machineOf(first)],
      notes: [acceptedNote(records), ...remarks(all)],
      plotHeightPx: 320,
      headroomPx: 40,
    },
    (area) => {
      const plots = PANELS.map((panel, plot) => plotOf(panel, plot, area, records, subscriptions));
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
  { metric, axisName, scale: scaleFor, leftPx }: Panel,
  plot: number,
  { topPx, heightPx }: PlotArea,
  records: readonly ResultRecord[],
  subscriptions: Scale,
) {
  const transports = transportsWith(records, metric);
  const scale = scaleFor(transports.flat().map(({ value }) => value));
  return {
    grid: { left: leftPx, width: PANEL_WIDTH_PX, top: topPx, height: heightPx },
    xAxis: { ...axisOf(subscriptions, String), gridIndex: plot, ...namedBelow("subscriptions") },
    yAxis: { ...axisOf(scale, figureOf), gridIndex: plot, ...namedAbove(axisName) },
    series: lineSeries(
      transports.map((points) => ({
        // One failure marks the line.
        record: (points.find(({ record }) => !record.isClean) ?? points[0]).record,
        points: points.map(({ record, value }) => [subscribersOf(record), value] as const),
        number: figureOf((points.at(-1) ?? points[0]).value),
      })),
      { plot, heightPx, x: subscriptions, y: scale, areDotted: true },
    ),
  };
}

interface Point {
  readonly record: ResultRecord;
  readonly value: number;
}

/** For each transport its points, by ascending number of subscriptions. */
function transportsWith(records: readonly ResultRecord[], metric: Metric): [Point, ...Point[]][] {
  const transports = new Map<string, [Point, ...Point[]]>();
  for (const record of [...records].sort((a, b) => subscribersOf(a) - subscribersOf(b))) {
    const point = { record, value: spreadIn(record, metric)?.median ?? NaN };
    const points = transports.get(record.transport);
    if (points === undefined) transports.set(record.transport, [point]);
    else points.push(point);
  }
  return [...transports.values()];
}

function subscribersOf({ configuration }: ResultRecord): number {
  return configuration.subscribers;
}
