import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Schemas whose validator is another package's than core's: whoever only publishes need not load it. */
const PACKAGE_OF = new Map([["setup.schema.json", "setup"]]);

/**
 * Copies schemas/ into core's dist, and compiles each `<name>.schema.json` there to a function
 * `validate<Name>` in dist/generated/validators.js of core, or of the package that needs it, so that nobody loads ajv to
 * read an envelope. Does nothing while schemas/ and this script are what they were at the last build.
 */
export async function buildSchemas(root) {
  for (const owner of new Set(["core", ...PACKAGE_OF.values()])) await buildSchemasOf(root, owner);
}

async function buildSchemasOf(root, owner) {
  const sourceDir = `${root}/schemas`;
  const schemasDir = `${root}/packages/core/dist/schemas`;
  const generatedDir = `${root}/packages/${owner}/dist/generated`;
  const typesPath = `${root}/packages/${owner}/src/generated/validators.d.ts`;

  const names = (await readdir(sourceDir)).filter((name) => name.endsWith(".json")).sort();
  const paths = names.map((name) => `${sourceDir}/${name}`);
  const stamp = `// built from ${await fingerprint([...paths, typesPath, fileURLToPath(import.meta.url)])}\n`;
  const built = await readFile(`${generatedDir}/validators.js`, "utf8").catch(() => "");
  if (built.startsWith(stamp)) return;

  await mkdir(schemasDir, { recursive: true });
  await mkdir(generatedDir, { recursive: true });
  for (const name of names) await copyFile(`${sourceDir}/${name}`, `${schemasDir}/${name}`);
  await copyFile(typesPath, `${generatedDir}/validators.d.ts`);

  const schemas = new Map();
  for (const name of names.filter((each) => each.endsWith(".schema.json"))) {
    schemas.set(validatorName(name), withoutProse(JSON.parse(await readFile(`${sourceDir}/${name}`, "utf8"))));
  }
  // Written last, and by rename: its stamp vouches for all of the above, and a running test never loads half of it.
  const wanted = names.filter((name) => schemas.has(validatorName(name)) && (PACKAGE_OF.get(name) ?? "core") === owner);
  const code = await compileValidators(schemas, wanted.map(validatorName), owner !== "core");
  await writeFile(`${generatedDir}/.validators.js`, stamp + code);
  await rename(`${generatedDir}/.validators.js`, `${generatedDir}/validators.js`);
}

async function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${path}\0`).update(await readFile(path));
  return hash.digest("hex");
}

/** "private-record.schema.json" → "validatePrivateRecord" */
function validatorName(fileName) {
  const words = fileName.replace(".schema.json", "").split("-");
  return `validate${words.map((word) => word[0].toUpperCase() + word.slice(1)).join("")}`;
}

/** ajv copies each schema into the code; without what only people read, that is a tenth less to load. */
function withoutProse(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(withoutProse);
  const kept = Object.entries(schema).filter(([key, value]) => !(PROSE.has(key) && typeof value === "string"));
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutProse(value)]));
}

const PROSE = new Set(["title", "description", "$schema"]);

/** @param wanted the names of those that are exported @param allErrors whether a validator reports all that is wrong, for people */
async function compileValidators(schemas, wanted, allErrors) {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  const { default: standaloneCode } = await import("ajv/dist/standalone/index.js");
  const ajv = new Ajv2020({
    allowUnionTypes: true,
    strictTuples: false,
    allErrors,
    code: { source: true, esm: true, lines: true },
  });
  for (const schema of schemas.values()) ajv.addSchema(schema);
  const exports = Object.fromEntries(wanted.map((name) => [name, schemas.get(name).$id]));
  return withoutRequire(standaloneCode.default(ajv, exports));
}

/** ajv counts maxLength in code points with a helper that it would `require`: a copy of that helper goes in its place. */
function withoutRequire(code) {
  const inlined = code.replaceAll(/require\("ajv\/dist\/runtime\/ucs2length"\)\.default/g, "codePointLength");
  const leftOver = /^.*\brequire\(.*$/m.exec(inlined)?.[0];
  if (leftOver !== undefined) throw new Error(`a schema uses a keyword whose code needs ajv at run time: ${leftOver}`);
  return `${inlined}\n${codePointLength.toString()}\n`;
}

function codePointLength(text) {
  let length = text.length;
  for (let index = 0; index < text.length - 1; index += 1) {
    const high = text.charCodeAt(index);
    if (high < 0xd800 || high > 0xdbff) continue;
    const low = text.charCodeAt(index + 1);
    if (low < 0xdc00 || low > 0xdfff) continue;
    length -= 1;
    index += 1;
  }
  return length;
}
