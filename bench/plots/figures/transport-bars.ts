import type { Drawing } from "../adaptive-svg.js";
import { axisOf, namedBelow } from "../axes.js";
import { BAR_HEIGHT_PX, HOW_TO_READ_BARS, barNames, barSeries, type Bar } from "../bars.js";
import { isSpool } from "../colours.js";
import { framed } from "../frame.js";
import { linearScale } from "../scales.js";
import { spreadIn, type Metric, type ResultRecord } from "../result-record.js";
import { acceptedMeans, configurationOf, figureOf, remarks, machineOf } from "../words.js";

export interface Ranking {
  readonly title: string;
  readonly metric: Metric;
  /** Of the axis, with its unit. */
  readonly axisName: string;
  readonly best: "highest" | "lowest";
}

/** A bar for each transport, the best on top. */
export function transportBars(
  records: readonly ResultRecord[],
  { title, metric, axisName, best }: Ranking,
): Drawing | undefined {
  const bars = records
    .flatMap((record) => barOf(record, metric))
    .sort((a, b) => (a.spread.median - b.spread.median) * (best === "lowest" ? 1 : -1))
    // What failed has no rank.
    .sort((a, b) => Number(b.isClean) - Number(a.isClean));
  const [first] = records;
  if (first === undefined || bars.length === 0) return undefined;
  return framed(
    {
      title,
      subtitle: [`${configurationOf(records)}.`, machineOf(first)],
      notes: [HOW_TO_READ_BARS, "Under each name: what becomes of a message once it is accepted.", ...remarks(records)],
      plotHeightPx: bars.length * BAR_HEIGHT_PX,
      headroomPx: 14,
    },
    ({ topPx, heightPx }) => ({
      grid: { left: 250, right: 210, top: topPx, height: heightPx },
      xAxis: {
        ...axisOf(linearScale(bars.map(({ spread }) => spread.highest)), figureOf),
        ...namedBelow(axisName),
      },
      yAxis: barNames(bars),
      series: barSeries(bars),
    }),
  );
}

function barOf(record: ResultRecord, metric: Metric): Bar[] {
  const spread = spreadIn(record, metric);
  if (spread === undefined) return [];
  return [
    {
      name: record.transport,
      note: acceptedMeans(record.configuration.durability),
      spread,
      label: record.isClean
        ? `${figureOf(spread.median)} (${figureOf(spread.lowest)}–${figureOf(spread.highest)})`
        : "FAILED",
      isClean: record.isClean,
      isOurs: isSpool(record),
    },
  ];
}
