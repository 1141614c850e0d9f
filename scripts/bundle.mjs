// Joins the compiled modules of a package into a few files. Reading one module costs Node a third of a millisecond, and a shell
// that calls `agentbus publish` pays it for every one of them, each time. What is imported lazily stays a file of its own.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const PACKAGES = [
  { dir: "packages/core", entry: "index.js", isSplit: true },
  { dir: "packages/cli", entry: "main.js", isSplit: false },
];

export async function bundlePackages(root) {
  await Promise.all(PACKAGES.map(({ dir, entry, isSplit }) => bundle(join(root, dir, "dist"), entry, isSplit)));
}

async function bundle(distDir, entry, isSplit) {
  const outdir = join(distDir, "bundle");
  const result = await build({
    entryPoints: [join(distDir, entry)],
    outdir,
    bundle: true,
    splitting: isSplit,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    sourcemap: true,
    metafile: true,
    logLevel: "warning",
  });
  await removeOthers(outdir, new Set(Object.keys(result.metafile.outputs).map((path) => path.split("/").at(-1))));
}

/** Chunks of earlier builds, whose names hold a hash of what was in them. */
async function removeOthers(outdir, current) {
  for (const name of await readdir(outdir)) {
    if (!current.has(name)) await rm(join(outdir, name));
  }
}
