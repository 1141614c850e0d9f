import { framed } from "../frame.js";
import type { Drawing } from "../adaptive-svg.js";
import { axisOf, namedAbove, namedBelow } from "../axes.js";
import { lineSeries } from "../lines.js";
import { logarithmicScale, PERCENTILES } from "../scales.js";
import { spreadIn, type ResultRecord } from "../result-record.js";
import { acceptedNote, configurationOf, figureOf, remarks, machineOf } from "../words.js";

const TAIL = PERCENTILES.reach[1];

/** One-way latency as a curve for each transport: how long the fastest, the median and the slowest messages take. */
export function latencyCurves(records: readonly ResultRecord[]): Drawing | undefined {
  const curves = records.flatMap((record) => {
    // The slowest of all is one message, and infinitely far to the right.
    const points = (record.curve ?? []).filter(([percentile, us]) => us > 0 && percentile <= TAIL);
    return points.length === 0 ? [] : [{ record, points }];
  });
  const [first] = curves;
  if (first === undefined) return undefined;
  const us = logarithmicScale(curves.flatMap(({ points }) => points.map(([, value]) => value)));
  const shown = curves.map(({ record }) => record);
  return framed(
    {
      title: `One-way latency at ${first.record.configuration.perSecond?.toLocaleString("en-US") ?? "?"} messages a second`,
      subtitle: [`From publish to handler: ${configurationOf(shown)}.`, machineOf(first.record)],
      notes: [acceptedNote(shown), ...remarks(records)],
      plotHeightPx: 380,
      headroomPx: 40,
    },
    ({ topPx, heightPx }) => ({
      grid: { left: 72, right: 190, top: topPx, height: heightPx },
      xAxis: {
        ...axisOf(PERCENTILES, String),
        ...namedBelow("percentile: so many of 100 messages arrive sooner"),
      },
      yAxis: {
        ...axisOf(us, figureOf),
        ...namedAbove("µs, logarithmic"),
      },
      series: lineSeries(
        curves.map(({ record, points }) => ({ record, points, number: medianOf(record) })),
        { plot: 0, heightPx, x: PERCENTILES, y: us, areDotted: false },
      ),
    }),
  );
}

function medianOf(record: ResultRecord): string {
  const p50 = spreadIn(record, "p50Us");
  return p50 === undefined ? "" : `p50 ${figureOf(p50.median)}`;
}
