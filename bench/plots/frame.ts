import type { EChartsOption } from "echarts";
import type { Drawing } from "./adaptive-svg.js";
import { COLOURS } from "./colours.js";

/** Names without spaces, as they stand in an attribute without quotes. */
export const FONTS = "system-ui, -apple-system, Helvetica, Arial, sans-serif";

const MARGIN_PX = 16;
const LINE_PX = 17;
/** What fits a line of 12 px in fonts that are wider than most. */
const LINE_CHARACTERS = 122;

export interface Frame {
  readonly title: string;
  /** What was measured and on what: a sentence a line; long ones are broken. */
  readonly subtitle: readonly string[];
  /** Under the plot. */
  readonly notes: readonly string[];
  readonly plotHeightPx: number;
  /** Above the plot, for the names of its vertical axes. */
  readonly headroomPx: number;
}

/** Where the plot itself goes. */
export interface PlotArea {
  readonly topPx: number;
  readonly heightPx: number;
}

/** Title above, notes below, on a ground of its own; `plot` fills the area between. */
export function framed(frame: Frame, plot: (area: PlotArea) => EChartsOption): Drawing {
  const subtitle = frame.subtitle.flatMap(brokenIntoLines);
  const notes = frame.notes.flatMap(brokenIntoLines);
  const topPx = MARGIN_PX + 26 + subtitle.length * LINE_PX + frame.headroomPx;
  const bottomPx = MARGIN_PX + notes.length * LINE_PX + 52;
  return {
    title: frame.title,
    heightPx: topPx + frame.plotHeightPx + bottomPx,
    option: {
      backgroundColor: COLOURS.ground,
      textStyle: { fontFamily: FONTS, color: COLOURS.ink },
      title: [
        {
          text: frame.title,
          subtext: subtitle.join("\n"),
          left: MARGIN_PX,
          top: MARGIN_PX,
          padding: 0,
          itemGap: 8,
          textStyle: { fontSize: 17, color: COLOURS.ink },
          subtextStyle: { fontSize: 12, lineHeight: LINE_PX, color: COLOURS.quietInk },
        },
        {
          subtext: notes.join("\n"),
          left: MARGIN_PX,
          bottom: MARGIN_PX,
          padding: 0,
          itemGap: 0,
          subtextStyle: { fontSize: 12, lineHeight: LINE_PX, color: COLOURS.quietInk },
        },
      ],
      ...plot({ topPx, heightPx: frame.plotHeightPx }),
    },
  };
}

function brokenIntoLines(sentence: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of sentence.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > LINE_CHARACTERS) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}
