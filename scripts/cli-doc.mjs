// Writes docs/cli.md: scripts/cli-doc.md, and what each command prints with --help. A test compares the two.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { format, resolveConfig } from "prettier";

const root = fileURLToPath(new URL("..", import.meta.url));
const docPath = `${root}/docs/cli.md`;

export async function makePage() {
  const commands = [...(await help()).matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name);
  const sections = commands.map(
    async (name) => `## agentbus ${name}\n\n\`\`\`text\n${(await help(name)).trim()}\n\`\`\``,
  );
  const page = [await readFile(`${root}/scripts/cli-doc.md`, "utf8"), ...(await Promise.all(sections))].join("\n\n");
  return format(page, { ...(await resolveConfig(docPath)), parser: "markdown" });
}

/** What people see on a terminal of 80 columns, without the options that all commands have. */
async function help(...words) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    `${root}/packages/cli/bin/agentbus.cjs`,
    ...words,
    "--help",
  ]);
  return words.length === 0 ? stdout : stdout.replace(/\nGlobal Options:\n(?: .+\n)+/, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(docPath, await makePage());
