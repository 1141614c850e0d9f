#!/usr/bin/env node
"use strict";

// CommonJS, which starts faster: agents call this from shells, again and again.
const fs = require("node:fs");
const { basename, dirname, isAbsolute, join } = require("node:path");

const MAIN_PATH = join(__dirname, "../dist/bundle/main.cjs");
/** What the first line of main.cjs is: the hash of the rest. */
const ID = /^\/\/([0-9a-f]{64})\n/;
const ID_LENGTH = 64;
const BEFORE = "(function(exports,require,module,__filename,__dirname){";

const argv = process.argv.slice(2);
const loaded = load(codeDirectory());
// Nothing is left to be done then. Ending by itself, Node would first give back all its memory, piece by piece.
process.once("beforeExit", () => {
  // What a publish needs is what a script waits for; another command would leave that out.
  if (argv[0] === "publish" && !process.exitCode) loaded.keepCode();
  process.exit();
});
loaded.exports.main(argv);

/**
 * Loads main.cjs with the code that V8 made of it in an earlier process: that takes off two fifths of what a publish takes beside an empty Node. Node's own
 * cache (from 22.1 on) holds what is compiled when a module is loaded; this one what had run by the end of a publish.
 * @param dir where that code is kept; undefined where none may be
 */
function load(dir) {
  if (dir === undefined) return { exports: require(MAIN_PATH), keepCode() {} };
  const source = fs.readFileSync(MAIN_PATH, "latin1");
  const id = ID.exec(source)?.[1] ?? "";
  const codePath = join(dir, `${process.version}-${process.arch}.code`);
  const cachedData = keptCode(codePath, id);
  const vm = require("node:vm");
  const options = { filename: MAIN_PATH, columnOffset: -BEFORE.length, cachedData };
  const script = new vm.Script(`${BEFORE}${source}\n})`, options);
  const main = asModule(dir);
  const requireFrom = (name) => main.require(name);
  script.runInThisContext().call(main.exports, main.exports, requireFrom, main, MAIN_PATH, dirname(MAIN_PATH));
  main.loaded = true;
  return {
    exports: main.exports,
    keepCode() {
      if (cachedData === undefined || script.cachedDataRejected) keep(codePath, id, script.createCachedData());
    },
  };
}

/** main.cjs as the files that it loads later know it; their code is for Node to keep. */
function asModule(dir) {
  const Module = module.constructor;
  const main = new Module(MAIN_PATH, module);
  main.filename = MAIN_PATH;
  main.paths = module.paths;
  require.cache[MAIN_PATH] = main;
  const requireLater = main.require;
  main.require = (name) => {
    // Loading node:module takes a millisecond, which a publish need not pay.
    if (name.startsWith("./")) require("node:module").enableCompileCache?.(dir);
    return requireLater.call(main, name);
  };
  return main;
}

/**
 * It stands there twice: V8 sees at once what is another V8's, but believes everything else, and a process would crash at a single
 * wrong byte. A second copy is compared in 0.1 ms at the most; loading node:crypto and a checksum take 3.5 to 7.
 * @returns undefined where there is none of this very main.cjs, or a damaged one
 */
function keptCode(path, id) {
  try {
    const file = fs.readFileSync(path);
    const middle = ID_LENGTH + (file.length - ID_LENGTH) / 2;
    if (file.latin1Slice(0, ID_LENGTH) !== id || !Number.isInteger(middle)) return undefined;
    const code = file.subarray(ID_LENGTH, middle);
    return code.equals(file.subarray(middle)) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Processes may do this at once. */
function keep(path, id, code) {
  const draftPath = `${path}.${process.pid}`;
  try {
    const file = Buffer.concat([Buffer.from(id, "latin1"), code, code]);
    fs.writeFileSync(draftPath, file, { mode: 0o600, flag: "wx" });
    fs.renameSync(draftPath, path);
  } catch {
    // Only time is lost.
    fs.rmSync(draftPath, { force: true });
  }
}

/**
 * Where compiled code may be kept. What is found there is run: so only in a directory that nobody but this account and root can
 * have written to. Without one every process compiles.
 * @returns undefined where it must not, or shall not, be kept
 */
function codeDirectory() {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME = "", HOME = "" } = process.env;
  if (NODE_COMPILE_CACHE || NODE_DISABLE_COMPILE_CACHE || !isAbsolute(XDG_CACHE_HOME || HOME)) return undefined;
  const cacheHome = XDG_CACHE_HOME || join(HOME, ".cache");
  try {
    if (!fs.existsSync(cacheHome)) ownDirectory(cacheHome);
    return ownDirectory(join(cacheHome, "agentbus"));
  } catch {
    return undefined;
  }
}

/** @returns the real path of a directory that is this account's alone; made if it is missing @throws when others have a say in it */
function ownDirectory(path) {
  const parentDir = fs.realpathSync.native(dirname(path));
  for (let dir = parentDir; ; dir = dirname(dir)) {
    const { uid, mode } = fs.lstatSync(dir);
    if ((uid !== 0 && uid !== process.geteuid()) || mode & 0o022) throw new Error(`others may change ${dir}`);
    if (dir === dirname(dir)) break;
  }
  const ownDir = join(parentDir, basename(path));
  if (!fs.existsSync(ownDir)) fs.mkdirSync(ownDir, 0o700);
  const stat = fs.lstatSync(ownDir);
  if (!stat.isDirectory() || stat.uid !== process.geteuid() || stat.mode & 0o077)
    throw new Error(`others may use ${ownDir}`);
  return ownDir;
}
