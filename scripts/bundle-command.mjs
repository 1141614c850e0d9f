// Joins the modules of the command into files of CommonJS. Starting Node's loader of ES modules and finding packages takes longer
// than a publish, and every further file takes a millisecond: so what main.js imports at once, which is what a plain publish
// needs, is one file without anything else, and what is imported later is in files of its own.
//
// esbuild splits ES modules only, and into a file for each set of users. So there are two steps: it splits, and then
// the chunks that main.js needs at once are joined again.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";

const MAIN = "main.cjs";
/** Chunks that are part of main.cjs, as other files name them. */
const WITHIN_MAIN = "within-main:";

/** @param options esbuild's @returns what went into the files, and their names */
export async function bundleCommand(mainPath, outdir, options) {
  const chunks = await split(mainPath, outdir, options);
  const atOnce = neededAtOnce(MAIN, chunks);
  const later = [...chunks.keys()].filter((name) => !atOnce.has(name));
  const { outputFiles } = await build({
    ...{ absWorkingDir: options.absWorkingDir, target: options.target, external: options.external },
    ...{ bundle: true, platform: "node", format: "cjs", minifyWhitespace: true, write: false, outdir },
    entryPoints: [MAIN, ...later].map((name) => ({ in: `entry:${name}`, out: name.replace(/\.cjs$/, "") })),
    outExtension: { ".js": ".cjs" },
    // @xmldom/xmldom, which plist needs, has two members twice.
    logOverride: { "duplicate-class-member": "silent" },
    plugins: [joinChunks(chunks, atOnce)],
  });
  await mkdir(outdir, { recursive: true });
  for (const { path, text } of outputFiles) {
    const code = forCommonJs(text);
    await writeFile(path, basename(path) === MAIN ? withId(code) : code);
  }
  return {
    inputs: [...chunks.values()].flatMap(({ inputs }) => inputs),
    names: outputFiles.map(({ path }) => basename(path)),
  };
}

/** Says in its first line which one it is, for whoever keeps what was made of it (packages/cli/bin/agentbus.cjs). */
function withId(code) {
  return `//${createHash("sha256").update(code).digest("hex")}\n${code}`;
}

/** @returns the chunks by name: their text, what they were made of, and the chunks that they import at once */
async function split(mainPath, outdir, options) {
  const { outputFiles, metafile } = await build({
    ...{ ...options, outdir, entryPoints: [mainPath], format: "esm", splitting: true, write: false },
    outExtension: { ".js": ".cjs" },
  });
  const texts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  return new Map(
    Object.entries(metafile.outputs).map(([path, { inputs, imports }]) => [
      basename(path),
      {
        text: texts.get(basename(path)),
        inputs: Object.keys(inputs),
        imports: imports.filter(({ kind }) => kind === "import-statement").map((imported) => basename(imported.path)),
      },
    ]),
  );
}

function neededAtOnce(name, chunks, found = new Set()) {
  if (!chunks.has(name) || found.has(name)) return found;
  found.add(name);
  for (const imported of chunks.get(name).imports) neededAtOnce(imported, chunks, found);
  return found;
}

function joinChunks(chunks, atOnce) {
  const others = [...atOnce].filter((name) => name !== MAIN);
  const whole = [`export * from "./${MAIN}";`, ...others.map((name) => `export * as "${name}" from "./${name}";`)];
  return {
    name: "join-chunks",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entry:/ }, ({ path }) => {
        const name = path.slice("entry:".length);
        return name === MAIN ? { path: "whole", namespace: "whole" } : { path: name, namespace: "chunk" };
      });
      onResolve({ filter: /^\.\// }, ({ path, importer, kind }) => {
        const name = basename(path);
        if (!atOnce.has(name) || kind === "dynamic-import") return { path, external: true };
        const isWithinMain = importer === "whole" || atOnce.has(importer);
        return isWithinMain ? { path: name, namespace: "chunk" } : { path: WITHIN_MAIN + name, external: true };
      });
      onLoad({ filter: /.*/, namespace: "whole" }, () => ({ contents: whole.join("\n") }));
      onLoad({ filter: /.*/, namespace: "chunk" }, ({ path }) => ({ contents: chunks.get(path).text }));
    },
  };
}

/**
 * Lets a file of CommonJS find the others, and takes Node's own modules as they are: esbuild would make a getter for each of
 * the hundred functions of node:fs, once for every module that imports it.
 */
function forCommonJs(text) {
  const code = text
    .replaceAll(/\brequire\("within-main:([^"]+)"\)/g, `require("./${MAIN}")["$1"]`)
    .replaceAll(/\bimport\("(\.\/[\w-]+\.cjs)"\)/g, `Promise.resolve().then(()=>require("$1"))`)
    .replaceAll(/__toESM\((require\("node:[\w/]+"\))(?:,1)?\)/g, "((module)=>({__proto__:module,default:module}))($1)");
  const left = /__toESM\(require\("node:[^)]*\)|within-main:|\bimport\("\.[^)]*\)/.exec(code);
  if (left !== null) throw new Error(`esbuild writes imports in another way than this expects: ${left[0]}`);
  return code;
}
