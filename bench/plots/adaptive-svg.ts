import { init, type EChartsOption } from "echarts";
import { ALL_TONES } from "./colours.js";

export interface Drawing {
  readonly title: string;
  readonly heightPx: number;
  readonly option: EChartsOption;
}

/** As wide as GitHub shows a page, so that text keeps its size there. */
const WIDTH_PX = 840;

/**
 * Draws as SVG text that is light or dark as the page around it; the same drawing gives the same bytes.
 *
 * One file for both, because Markdown without HTML knows one. Every colour is an attribute, which any viewer shows, and a
 * media query turns each into its dark counterpart: Chromium answers it within an `<img>` too, for the page's colour scheme
 * where the page names one, as GitHub's does. The ground is opaque: where the query is not known, or is answered for the
 * system while the page is of the other kind, text still stands on its own ground.
 */
export function drawSvg({ title, heightPx, option }: Drawing): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH_PX, height: heightPx });
  try {
    chart.setOption({ ...option, animation: false });
    return adapt(chart.renderToSVGString(), title);
  } finally {
    chart.dispose();
  }
}

function adapt(drawn: string, title: string): string {
  const svg = pictureOnly(drawn);
  const head = `<title>${escapeXml(title)}</title>\n<style>${darkRules(svg)}</style>`;
  const opened = svg.replace(/^<svg[^>]*>/, (tag) => `${tag.replace("<svg", '<svg role="img"')}\n${head}`);
  return `${opened.trimEnd()}\n`;
}

/**
 * Takes out what an image has no use for: what serves a mouse (classes and their rules, data for scripts, invisible areas), and
 * clipping, since every scale reaches all of its values. Both are numbered since the process began, so what was drawn before
 * would show.
 */
function pictureOnly(svg: string): string {
  return svg
    .replaceAll(/<(style|defs)[^>]*>.*?<\/\1>\s*/gs, "")
    .replaceAll(/ (class|clip-path|pointer-events|ecmeta_\w+)="[^"]*"/g, "")
    .replaceAll(/<path[^>]* fill-opacity="0"[^>]*><\/path>\n/g, "")
    .replaceAll(/<path(?=[^>]* fill="none")(?![^>]* stroke=)[^>]*><\/path>\n/g, "");
}

function darkRules(svg: string): string {
  const rules = ALL_TONES.flatMap(({ light, dark }) =>
    ["fill", "stroke"]
      .filter((property) => svg.includes(`${property}="${light}"`))
      .map((property) => `[${property}="${light}"]{${property}:${dark}}`),
  );
  return `@media (prefers-color-scheme: dark){${rules.join("")}}`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
