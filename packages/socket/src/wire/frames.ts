/**
 * What goes over a connection: lines of UTF-8, each a letter, a number, and what belongs to it.
 *
 *     C17 {"specversion":"1.0","id":"01J…",…}
 *
 * A call and all that follows from it bear its number, which the client chose. Number 0 is the connection's own.
 */
export const Kind = Object.freeze({
  /** `H0 {"agentbus":1,…}`: the first frame of each side. */
  hello: "H",
  /** `C<call> <envelope>`: a call. */
  call: "C",
  /** `S<call> <envelope>`: a call whose data is a stream, which follows. */
  streamCall: "S",
  /** `A<call> <envelope>`: its answer, and the last frame of the call. */
  answer: "A",
  /** `R<call> <envelope>`: its answer is a stream, which follows. */
  streamAnswer: "R",
  /** `I<call> <envelope>`: the next of the stream; of call 0, a message by itself. */
  item: "I",
  /** `E<call>`: the stream is complete; `E<call> <why>`: it broke off. */
  end: "E",
  /** `W<call> <bytes>`: there is room for so many more bytes of the stream. */
  room: "W",
  /** `K<call>`: no more of it: the call is cancelled, or the server wants no more of its stream. */
  cancel: "K",
  /** `G0`: the server is about to go; calls on their way are answered, and further ones shall wait for the next server. */
  goodbye: "G",
  /** `X0 {"code":…,"message":…}`: the connection is refused, and ends. */
  refusal: "X",
});

export type FrameKind = (typeof Kind)[keyof typeof Kind];

/** What a frame has besides its envelope, in bytes: the letter, the number, a blank. */
export const MAX_HEAD_BYTES = 12;

/** Frames of no envelope are short. */
const MAX_NOTE_BYTES = 4_096;

/** A frame with an envelope. @param envelope with its newline */
export function frame(kind: FrameKind, call: number, envelope: string): string {
  return `${kind}${call} ${envelope}`;
}

/** A frame with a note, or with nothing. */
export function note(kind: FrameKind, call: number, text = ""): string {
  return text === "" ? `${kind}${call}\n` : `${kind}${call} ${text}\n`;
}

/** The note of a frame. */
export function noteIn(text: string, start: number, end: number): string {
  return text.slice(start, Math.min(end - 1, start + MAX_NOTE_BYTES));
}

/** The bytes in a frame of room. @returns undefined when that is none */
export function roomIn(text: string, start: number, end: number): number | undefined {
  const bytes = Number(noteIn(text, start, end));
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : undefined;
}
