/** A colour on the light ground and its counterpart on the dark one. */
export interface Tone {
  readonly light: string;
  readonly dark: string;
}

/** The light colours are all different: `adaptive-svg.ts` finds the dark counterpart by them. */
const TONES = Object.freeze({
  ground: { light: "#ffffff", dark: "#0d1117" },
  ink: { light: "#1f2328", dark: "#f0f6fc" },
  quietInk: { light: "#59636e", dark: "#9198a1" },
  rule: { light: "#d8dee4", dark: "#30363d" },
  spool: { light: "#bc4c00", dark: "#f0883e" },
  peerBar: { light: "#7c8fa3", dark: "#5d7289" },
  floor: { light: "#656d76", dark: "#8b949e" },
  redis: { light: "#7a4a9c", dark: "#b795d8" },
  nats: { light: "#1f6ab5", dark: "#6cabee" },
  mosquitto: { light: "#0f766e", dark: "#3fb8a8" },
  database: { light: "#5f6c14", dark: "#adbb58" },
  naive: { light: "#96365f", dark: "#dd8cab" },
} satisfies Record<string, Tone>);

export const ALL_TONES: readonly Tone[] = Object.values(TONES);

/** Charts are drawn in these, the light ones. */
export const COLOURS = Object.freeze(
  Object.fromEntries(Object.entries(TONES).map(([name, { light }]) => [name, light])) as Record<
    keyof typeof TONES,
    string
  >,
);

export interface Stroke {
  readonly colour: string;
  /** The latter in pixels. */
  readonly dash: "solid" | "dashed" | "dotted" | readonly number[];
}

/**
 * Relatives share a hue and differ in their dashes, so that six hues are enough for fifteen transports and no two lines depend
 * on colour vision alone. Only the spool is warm.
 */
const STROKES: Readonly<Record<string, Stroke>> = {
  spool: { colour: COLOURS.spool, dash: "solid" },
  "raw-socket": { colour: COLOURS.floor, dash: "solid" },
  "floor-inotify": { colour: COLOURS.floor, dash: "dashed" },
  "floor-rename": { colour: COLOURS.floor, dash: [8, 3, 2, 3] },
  "floor-seqpacket": { colour: COLOURS.floor, dash: "dotted" },
  "redis-pubsub": { colour: COLOURS.redis, dash: "solid" },
  "redis-pubsub-unix": { colour: COLOURS.redis, dash: [8, 3, 2, 3] },
  "redis-streams": { colour: COLOURS.redis, dash: "dashed" },
  bullmq: { colour: COLOURS.redis, dash: "dotted" },
  "nats-core": { colour: COLOURS.nats, dash: "solid" },
  jetstream: { colour: COLOURS.nats, dash: "dashed" },
  mosquitto: { colour: COLOURS.mosquitto, dash: "solid" },
  "sqlite-queue": { colour: COLOURS.database, dash: "solid" },
  "naive-spool": { colour: COLOURS.naive, dash: "solid" },
  "node-ipc": { colour: COLOURS.naive, dash: "dashed" },
};

/** A transport that is not listed gets a stroke all the same: the figure names it at the line's end. */
export function strokeOf(transport: string): Stroke {
  return STROKES[transport] ?? { colour: COLOURS.quietInk, dash: "dotted" };
}

/** Also the spool in a particular state, as `spool-bursts`. */
export function isSpool({ transport }: { readonly transport: string }): boolean {
  return transport === "spool" || transport.startsWith("spool-");
}
