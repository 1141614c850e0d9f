import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { drawSvg } from "./plots/adaptive-svg.js";
import { FIGURES } from "./plots/figures.js";
import { parseResults, type ResultRecord } from "./plots/result-record.js";
import { filesystemsIn, latestRuns } from "./plots/runs.js";

const USAGE = `usage: npm run plot -- RESULTS.ndjson...

Draws docs/images/*.svg from what npm run bench left in bench/results/: of each scenario the latest run, a figure for
each filesystem. Prints the Markdown that shows them in a page of docs/.`;

/** From bench/build/. */
const IMAGES_DIR = fileURLToPath(new URL("../../docs/images", import.meta.url));

process.exitCode = main(process.argv.slice(2));

/** @returns 0: drawn; 1: nothing could be; 2: usage */
function main(paths: readonly string[]): number {
  if (paths.length === 0 || paths.some((path) => path.startsWith("-"))) {
    console.error(USAGE);
    return 2;
  }
  try {
    const records = paths.flatMap((path) => parseResults(read(path), basename(path)));
    const files = draw(records);
    if (files > 0) return 0;
    console.error(`nothing to draw in ${paths.join(", ")}: run npm run bench, which leaves results in bench/results/`);
    return 1;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(
      `cannot read ${path}: ${(error as Error).message}; give files that npm run bench left in bench/results/`,
      { cause: error },
    );
  }
}

/** @returns how many files it wrote */
function draw(records: readonly ResultRecord[]): number {
  let files = 0;
  for (const filesystem of filesystemsIn(records)) {
    for (const { name, scenarios, draw: drawFigure } of FIGURES) {
      const drawing = drawFigure(latestRuns(records, scenarios, filesystem));
      if (drawing === undefined) {
        console.error(`no ${name} on ${filesystem}: the files hold no such results`);
        continue;
      }
      const file = `${name}-${filesystem}.svg`;
      mkdirSync(IMAGES_DIR, { recursive: true });
      writeFileSync(`${IMAGES_DIR}/${file}`, drawSvg(drawing));
      files++;
      console.log(`![${drawing.title}, ${filesystem}](images/${file})`);
    }
  }
  return files;
}
