import { better, defineQueue, defineWorker, type Queue } from "plainjob";
import { missingPackage } from "../servers/programs.js";
import { envelopeOf, parseEnvelope } from "../envelope.js";
import { NOTHING_STARTED, type Place, type Transport } from "./transport.js";

const NAME = "bench";
/** How often an idle worker looks: SQLite tells nobody that something has come. The default is a second. */
const POLL_MS = 1;

/** A queue of jobs in a SQLite file. libsql is the driver with a binary for every Node, and as fast as better-sqlite3 here. */
export const sqliteQueue: Transport = {
  name: "sqlite-queue",
  description: `plainjob on libsql, WAL, synchronous NORMAL, a worker that polls every ${POLL_MS} ms; on the disk: synchronous FULL`,
  durability: "process",
  keepsOrder: true,
  acknowledges: true,
  fansOut: false,
  reachesDisk: true,
  pollsAtRest: true,

  missing: async () => missingPackage("libsql", "npm ci, on a platform that libsql has a binary for"),
  start: async () => NOTHING_STARTED,

  async receive(place, onEnvelope) {
    const queue = await openQueue(place);
    const worker = defineWorker(NAME, ({ data }) => onEnvelope(parseEnvelope(data)), {
      queue,
      logger: SILENT,
      pollIntervall: POLL_MS,
    });
    const working = worker.start();
    return {
      close: async () => {
        await worker.stop();
        await working;
        queue.close();
      },
    };
  },

  async send(place) {
    const queue = await openQueue(place);
    return {
      send: (payload) => void queue.add(NAME, envelopeOf(payload)),
      close: async () => queue.close(),
    };
  },
};

const SILENT = { error: ignore, warn: ignore, info: ignore, debug: ignore };

async function openQueue({ dir, isDurable }: Place): Promise<Queue> {
  const { default: Database } = await import("libsql");
  const connection = better(new Database(`${dir}/queue.sqlite`));
  const queue = defineQueue({ connection, logger: SILENT });
  // plainjob sets NORMAL, which a power cut may undo.
  if (isDurable) connection.pragma("synchronous = FULL");
  return queue;
}

function ignore(): void {}
