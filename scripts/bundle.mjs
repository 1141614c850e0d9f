// Joins the compiled modules of a package into a few files. Reading one module costs Node a third of a millisecond, and a shell
// that calls `agentbus publish` pays it for every one of them, each time.
//
// core, setup, pipe and socket: ES modules; what they import lazily stays a file of its own.
// cli: CommonJS with all of these and commander in it, one file for a publish: see bundle-command.mjs. What only some commands need
// (locks, ajv) stays a dependency that is imported when needed.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { bundleCommand } from "./bundle-command.mjs";

const LAZY_PACKAGES = ["ajv", "fsevents", "koffi", "proper-lockfile"];
/** Each a package that builds on core, for who wants it; the command holds them. */
const CHANNELS = ["pipe", "socket"];
const LICENSES = "LICENSES.txt";

export async function bundlePackages(root) {
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20.19",
    external: LAZY_PACKAGES,
    // ulid for browsers is the same but for its import of node:crypto, which takes 3 ms; we give it our own random numbers.
    alias: { ulid: join(root, "node_modules/ulid/dist/browser/index.js") },
    metafile: true,
    logLevel: "warning",
  };
  const core = join(root, "packages/core/dist");
  const setup = join(root, "packages/setup/dist");
  const cli = join(root, "packages/cli/dist");
  const channel = (name) => join(root, "packages", name, "dist");
  const channelEntries = CHANNELS.map((name) => [`@agentbus/${name}`, join(channel(name), "index.js")]);
  const [coreResult, setupResult, cliResult, ...channelResults] = await Promise.all([
    build({
      ...common,
      entryPoints: [join(core, "index.js")],
      outdir: join(core, "bundle"),
      format: "esm",
      splitting: true,
      sourcemap: true,
    }),
    build({
      ...common,
      entryPoints: [join(setup, "index.js")],
      outdir: join(setup, "bundle"),
      packages: "external",
      format: "esm",
      splitting: true,
      sourcemap: true,
    }),
    bundleCommand(join(cli, "main.js"), join(cli, "bundle"), {
      ...common,
      alias: {
        ...common.alias,
        "@agentbus/core": join(core, "index.js"),
        "@agentbus/setup": join(setup, "index.js"),
        ...Object.fromEntries(channelEntries),
        // Its CommonJS finds its parts in a way that esbuild cannot follow.
        "jsonc-parser": join(root, "node_modules/jsonc-parser/lib/esm/main.js"),
        diff: join(root, "node_modules/diff/libesm/index.js"),
      },
      plugins: [lazyChildProcess, channelsWithin],
      // The first use of `performance` loads perf_hooks, for 2 ms.
      inject: [join(root, "scripts/monotonic-now.mjs")],
      define: { "performance.now": "monotonicNow" },
    }),
    ...CHANNELS.map((name) =>
      build({
        ...common,
        entryPoints: [join(channel(name), "index.js")],
        outdir: join(channel(name), "bundle"),
        format: "esm",
        external: [...LAZY_PACKAGES, "@agentbus/core"],
        sourcemap: true,
      }),
    ),
  ]);
  const libraries = [coreResult, setupResult, ...channelResults];
  for (const [index, dir] of [core, setup, ...CHANNELS.map(channel)].entries()) {
    const { inputs, outputs } = libraries[index].metafile;
    const names = Object.keys(outputs).map((path) => basename(path));
    await finish(root, join(dir, "bundle"), Object.keys(inputs), names);
  }
  await finish(root, join(cli, "bundle"), cliResult.inputs, cliResult.names);
}

/** commander could run subcommands that are programs of their own, and loads what that would take. */
const lazyChildProcess = {
  name: "lazy-child-process",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes("/commander/") ? { path: "child_process", namespace: "lazy" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "lazy" }, () => ({
      contents: `exports.spawn = (...args) => process.getBuiltinModule("node:child_process").spawn(...args);`,
    }));
  },
};

/** Core looks for the packages of channels where it is installed; in the command they are at hand. */
const channelsWithin = {
  name: "channels-within",
  setup({ onLoad }) {
    onLoad({ filter: /core\/dist\/channel\/packages\.js$/ }, () => ({
      contents: `
        export const loadPipePackage = () => import("@agentbus/pipe");
        export const loadSocketPackage = () => import("@agentbus/socket");`,
      resolveDir: process.cwd(),
    }));
  },
};

/** Adds the licenses of what was joined, and removes chunks of earlier builds, whose names hold a hash of what was in them. */
async function finish(root, outdir, inputs, names) {
  await writeFile(join(outdir, LICENSES), await licensesOf(root, inputs));
  const current = new Set([LICENSES, ...names]);
  for (const name of await readdir(outdir)) {
    if (!current.has(name)) await rm(join(outdir, name));
  }
}

async function licensesOf(root, inputs) {
  const dirs = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean));
  const texts = [...dirs].map(async (dir) => {
    const { name, version } = JSON.parse(await readFile(join(root, dir, "package.json"), "utf8"));
    const file = (await readdir(join(root, dir))).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} is part of a bundle and has no license file`);
    return `${name} ${version}\n\n${(await readFile(join(root, dir, file), "utf8")).trim()}\n`;
  });
  return (await Promise.all(texts)).join("\n----\n\n");
}
