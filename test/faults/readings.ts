/** The readings of a house: a steady load, and markers by which it shows that fresh events get through to the store. */
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { openPty } from '../../src/simulator/pty.ts';

/** A pseudo-terminal on which readings come at a steady rate, or at one that is asked for now and then. Each moves a cat to a place of its own, and so is one event. */
export function createPort(prefix: string, perSecond: number | (() => number)) {
  const pty = openPty();
  const everyMs = 20;
  let written = 0;
  let owed = 0;
  const say = (reading: object) => pty.write(Buffer.from(`${JSON.stringify(reading)}\n`));
  const timer = setInterval(() => {
    owed += ((typeof perSecond === 'number' ? perSecond : perSecond()) * everyMs) / 1_000;
    for (; owed >= 1; owed -= 1) {
      written += 1;
      void say({ collar: `CAT${written % 8}`, place: `${prefix}${written}`, motion: 1 });
    }
  }, everyMs);
  return {
    path: pty.path,
    say,
    get written() {
      return written;
    },
    quiet: () => clearInterval(timer),
    close() {
      clearInterval(timer);
      return pty.close();
    },
  };
}

const MARKER_EVERY_MS = 200;
const LOOK_EVERY_MS = 20;

export async function markerStored(
  storePath: string,
  marker: string,
  say: (reading: object) => Promise<number>,
  timeoutMs: number,
): Promise<number | null> {
  const began = performance.now();
  const look = createLook(storePath, marker);
  try {
    for (let i = 0; performance.now() - began < timeoutMs; i += 1) {
      if ((i * LOOK_EVERY_MS) % MARKER_EVERY_MS === 0)
        await say({ collar: 'MARKER', place: `${marker}${i}`, motion: 1 });
      await pause(LOOK_EVERY_MS);
      if (look.found()) return performance.now() - began;
    }
    return null;
  } finally {
    // Before anybody kills central: an open reader would spare it the recovery of its files.
    look.close();
  }
}

function createLook(storePath: string, marker: string) {
  let db: Database.Database | null = null;
  let find: Database.Statement<[string], unknown> | null = null;
  return {
    found(): boolean {
      try {
        db ??= new Database(storePath, { readonly: true, fileMustExist: true });
        find ??= db.prepare("SELECT 1 FROM event WHERE subject = 'collar/MARKER' AND data LIKE ? LIMIT 1");
        return find.get(`%"${marker}%`) !== undefined;
      } catch {
        // Central has not made its store yet, or has it open alone for a moment.
        return false;
      }
    },
    close: () => db?.close(),
  };
}
