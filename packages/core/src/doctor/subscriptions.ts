import { printable } from "../deliver/refusal.js";
import { errnoOf } from "../errors.js";
import { isMessageFile } from "../message-name.js";
import { ruleForDirectory } from "../permissions.js";
import { isAlive } from "../presence.js";
import { shellQuote } from "../shell-command.js";
import { heartbeatAgeMs } from "../subscribe/consumer-lock.js";
import {
  parseSubscriptionName,
  readSubscriptionRecord,
  SUBSCRIPTION_FILE,
  type SubscriptionRecord,
} from "../subscription-record.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding } from "./finding.js";

/**
 * What is in the subscriptions: of everybody's the records, which decide what they receive, and of this account's own what waits,
 * what was planted, and what was given up.
 */
export async function examineSubscriptions(spool: ExaminedSpool): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of spool.namesIn("subscriptions") ?? []) {
    const user = parseSubscriptionName(name)?.user;
    const uid = user === undefined ? undefined : await spool.machine.accounts.findUid(user);
    const dir = `subscriptions/${name}`;
    const stat = spool.statOf(dir);
    // Somebody else's, or no directory at all, is reported with the owners.
    if (stat === undefined || !stat.isDirectory() || stat.uid !== uid) continue;
    findings.push(...examineRecord(spool, dir, name, uid));
    if (uid === process.geteuid?.()) findings.push(...(await examineContents(spool, dir)));
  }
  for (const name of spool.namesIn("queues") ?? []) {
    const dir = `queues/${name}`;
    const stat = ruleForDirectory(`${dir}/`) === undefined ? undefined : spool.statOf(dir);
    if (stat?.isDirectory() === true) findings.push(...examineRecord(spool, dir, name, stat.uid));
  }
  return findings;
}

function examineRecord(spool: ExaminedSpool, dir: string, name: string, uid: number): Finding[] {
  const path = `${spool.path}/${dir}`;
  let record: SubscriptionRecord;
  try {
    record = readSubscriptionRecord(spool.machine.fileSystem, `${path}/${SUBSCRIPTION_FILE}`);
  } catch (error) {
    return [unusable(spool, path, uid, whyUnreadable(error))];
  }
  const isQueue = dir.startsWith("queues/");
  const label = isQueue ? record.name : `${record.user ?? ""}~${record.name}`;
  if (label !== name || (record.kind === "queue") !== isQueue) {
    return [unusable(spool, path, uid, `it says ${record.kind} ${shellQuote(label)}`)];
  }
  const { consumer } = record;
  if (
    consumer === undefined ||
    isAlive(consumer, () => heartbeatAgeMs({ fileSystem: spool.machine.fileSystem, path: spool.path }, consumer))
  )
    return [];
  const message = `${path} is left over from process ${consumer.pid}, which is gone; nothing is sent to it any more`;
  return [finding("info", "leftovers", message, { path, fix: spool.asOwner(uid, `rm -r ${shellQuote(path)}`) })];
}

/** A parser quotes what it cannot read, and that is somebody else's. */
function whyUnreadable(error: unknown): string {
  if (errnoOf(error) === "ENOENT") return "there is none";
  if (error instanceof SyntaxError) return "it is not JSON";
  return printable(error instanceof Error ? error.message : String(error));
}

function unusable(spool: ExaminedSpool, path: string, uid: number, why: string): Finding {
  const file = `${path}/${SUBSCRIPTION_FILE}`;
  const message = `${path} receives nothing, because of its ${SUBSCRIPTION_FILE}: ${why}`;
  const command = path.endsWith("~inbox")
    ? "agentbus status"
    : `rm ${shellQuote(file)}    (and subscribe again under that name)`;
  return finding("error", "subscriptions", message, { path: file, fix: spool.asOwner(uid, command) });
}

async function examineContents(spool: ExaminedSpool, dir: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const part of ["new", "tally"]) {
    for (const name of spool.namesIn(`${dir}/${part}`) ?? []) {
      if (!isMessageFile(name)) findings.push(...(await planted(spool, `${dir}/${part}/${name}`)));
    }
  }
  const letters = (spool.namesIn(`${dir}/dead`) ?? []).filter((name) => name.endsWith(".reason.json")).length;
  if (letters > 0) {
    const path = `${spool.path}/${dir}/dead`;
    const message = `${path} holds ${letters} dead ${letters === 1 ? "letter" : "letters"}`;
    findings.push(finding("warning", "dead letters", message, { path, fix: "agentbus dead ls" }));
  }
  return findings;
}

/** A directory that another account filled: neither it nor what is in it can be removed by the owner of the drop box. */
async function planted(spool: ExaminedSpool, name: string): Promise<Finding[]> {
  const stat = spool.statOf(name);
  if (stat === undefined || !stat.isDirectory() || stat.uid === process.geteuid?.()) return [];
  await spool.machine.accounts.findUser(stat.uid);
  const path = spool.pathOf(name);
  const message = `${shellQuote(path)} is a directory that ${spool.userName(stat.uid)} put into a drop box, where only messages belong`;
  return [
    finding("warning", "planted", message, {
      path: String(path),
      fix: spool.asOwner(stat.uid, `rm -r ${shellQuote(path)}`),
    }),
  ];
}
