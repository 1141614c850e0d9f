import type { AccountTools } from "./account-tools.js";

const notYet = () => Promise.reject(new Error("accounts of macOS are not planned yet"));

/** Accounts of macOS. */
export const darwinAccounts: AccountTools = {
  makeGroup: notYet,
  makeAccount: notYet,
  addMember: notYet,
  removeMember: notYet,
  removeAccount: notYet,
  removeGroup: notYet,
};
