#!/usr/bin/env node
"use strict";

// CommonJS, which starts faster: agents call this from shells, again and again.
const fs = require("node:fs");
const { basename, dirname, isAbsolute, join } = require("node:path");

keepCompiledCode();
// Nothing is left to be done then. Ending by itself, Node would first give back all its memory, piece by piece.
process.once("beforeExit", () => process.exit());
require("../dist/bundle/main.cjs").main(process.argv.slice(2));

/**
 * From 22.1 on, Node can keep what it has compiled, and publishing takes a sixth less. What it finds there it runs: so only in a
 * directory that nobody but this account and root can have written to. Without one, or when anything fails, it compiles as ever.
 */
function keepCompiledCode() {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME = "", HOME = "" } = process.env;
  if (NODE_COMPILE_CACHE || NODE_DISABLE_COMPILE_CACHE || !isAbsolute(XDG_CACHE_HOME || HOME)) return;
  // Loading node:module takes a millisecond.
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 1)) return;
  const cacheHome = XDG_CACHE_HOME || join(HOME, ".cache");
  try {
    if (!fs.existsSync(cacheHome)) ownDirectory(cacheHome);
    require("node:module").enableCompileCache(ownDirectory(join(cacheHome, "agentbus")));
  } catch {
    // Only time is lost.
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
