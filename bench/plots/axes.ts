import type { YAXisComponentOption, XAXisComponentOption } from "echarts";
import { COLOURS } from "./colours.js";
import type { Scale } from "./scales.js";

type ValueAxis = XAXisComponentOption & YAXisComponentOption & { type?: "value" };

/** The axis of a scale, without its place in the plot. */
export function axisOf(scale: Scale, label: (value: number) => string): ValueAxis {
  const placed = scale.marks.map(scale.place);
  return {
    type: "value",
    min: scale.place(scale.reach[0]),
    max: scale.place(scale.reach[1]),
    axisLine: { show: false },
    axisTick: { show: false, customValues: placed },
    axisLabel: {
      customValues: placed,
      color: COLOURS.quietInk,
      fontSize: 12,
      formatter: (place: number) => label(scale.marks[nearest(placed, place)] ?? NaN),
    },
    splitLine: { show: true, lineStyle: { color: COLOURS.rule } },
    nameTextStyle: { color: COLOURS.quietInk, fontSize: 12 },
  };
}

/** Under the axis, in its middle. */
export function namedBelow(name: string) {
  return { name, nameLocation: "middle", nameGap: 28 } as const;
}

/** Lying over the axis, from its left. */
export function namedAbove(name: string) {
  return {
    name,
    nameLocation: "end",
    nameGap: 12,
    nameTextStyle: { align: "left", color: COLOURS.quietInk, fontSize: 12 },
  } as const;
}

/** The library rounds what it hands to a formatter. */
function nearest(placed: readonly number[], place: number): number {
  const distances = placed.map((other) => Math.abs(other - place));
  return distances.indexOf(Math.min(...distances));
}
