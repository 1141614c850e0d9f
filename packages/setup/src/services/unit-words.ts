/**
 * One word of a command line in a unit (systemd.service(5), "Command lines"), so that systemd passes on exactly this: always in
 * quotes, with % and $ doubled, for both would be replaced within quotes too.
 */
export function execWord(word: string): string {
  return `"${unitText(word).replaceAll("$", "$$$$")}"`;
}

/** A path or text in another setting, where $ means nothing. */
export function unitText(text: string): string {
  if (text.includes("\0")) throw new TypeError("a unit cannot hold a NUL");
  return (
    text
      .replaceAll("%", "%%")
      .replaceAll(/[\\"]/g, "\\$&")
      .replaceAll("\n", "\\n")
      .replaceAll("\t", "\\t")
      // oxlint-disable-next-line no-control-regex -- they are what is replaced
      .replaceAll(/[\u0000-\u001f\u007f]/g, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`)
  );
}
