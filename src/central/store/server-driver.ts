/**
 * kysely's driver for databases that are servers: what goes wrong on the way is told by code, and a connection that may be in an
 * unknown state is never used again. Codes: STORE_AWAY (the server cannot store now; nothing is known of an open transaction),
 * STORE_AGAIN (the transaction was undone in favour of another one: make it again). All other errors are the server's own.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';

/** Whoever does not answer for so long is away. */
const QUERY_MS = 60_000;
/** Of a statement that was undone in favour of others. */
const TRIES = 20;
const PAUSE_MS = 20;

export interface WireResult {
  readonly rows: readonly unknown[];
  /** Rows that were inserted, changed or deleted; null for other statements. */
  readonly affected: number | null;
  /** What the server says that it did, where it says so. */
  readonly tag?: string;
}

/** One connection, taken from a pool. */
export interface Wire {
  run(text: string, parameters: readonly unknown[]): Promise<WireResult>;
  /** `cut`: it is closed, else it goes back to the pool. */
  release(cut: boolean): void;
}

export interface Wires {
  take(): Promise<Wire>;
  end(): Promise<void>;
}

export interface Server {
  /** For messages, without any secret. */
  readonly name: string;
  readonly wires: Wires;
  meaningOf(error: Error): 'away' | 'again' | 'other';
  /** Asked before each statement: is it one of many short ones? A change of the schema may take its time. */
  readonly hurried: () => boolean;
}

export function createServerDriver(server: Server): Driver {
  return {
    init: async () => undefined,
    acquireConnection: async () => new ServerConnection(await taken(server), server),
    beginTransaction: (connection) => (connection as ServerConnection).begin(),
    async commitTransaction(connection) {
      const { tag } = await (connection as ServerConnection).run('commit', []);
      // A statement failed and the transaction went on all the same: all of it is undone.
      if (tag === 'ROLLBACK') throw new Error(`${server.name}: the transaction was undone, not committed`);
    },
    async rollbackTransaction(connection) {
      const own = connection as ServerConnection;
      // Where nobody answers, cutting the connection undoes it. Why it is undone is the error that people must see.
      await own.run('rollback', []).catch(() => own.doubt());
    },
    releaseConnection: async (connection) => (connection as ServerConnection).release(),
    destroy: () => server.wires.end(),
  };
}

/** One statement on a connection of its own; where it fails, nothing of the server is left open. */
export async function askOnce(server: Server, text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  try {
    const wire = await taken(server);
    try {
      return (await told(server, wire.run(text, []), 'away')).rows as Record<string, unknown>[];
    } finally {
      wire.release(false);
    }
  } catch (error) {
    await server.wires.end();
    throw error;
  }
}

class ServerConnection implements DatabaseConnection {
  readonly #wire: Wire;
  readonly #server: Server;
  #doubtful = false;
  /** Inside of a transaction: then all of it is undone, not one statement. */
  #open = false;
  /** One at a time: the next begins when this one has ended, however it ends. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(wire: Wire, server: Server) {
    this.#wire = wire;
    this.#server = server;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, affected } = await this.#whole(sql, parameters);
    return { rows: rows as R[], ...(affected === null ? {} : { numAffectedRows: BigInt(affected) }) };
  }

  // biome-ignore lint/correctness/useYield: nothing here is read as a stream
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('the store reads no streams');
  }

  /** A statement that is a transaction by itself, and was undone in favour of another one, is made again. */
  async #whole(text: string, parameters: readonly unknown[]): Promise<WireResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.run(text, parameters);
      } catch (error) {
        const again = error instanceof Error && 'code' in error && error.code === 'STORE_AGAIN';
        if (!again || this.#open) throw error;
        if (tries === TRIES) throw this.#leave(error);
        await pause(Math.random() * PAUSE_MS * tries);
      }
    }
  }

  run(text: string, parameters: readonly unknown[]): Promise<WireResult> {
    if (/^(begin|start transaction)\b/.test(text)) this.#open = true;
    else if (/^(commit|rollback)\b(?! to\b)/.test(text)) this.#open = false;
    const begin = () => this.#run(text, parameters);
    const result = this.#last.then(begin, begin);
    this.#last = result;
    return result;
  }

  async #run(text: string, parameters: readonly unknown[]): Promise<WireResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (!this.#server.hurried()) return;
      timer = setTimeout(() => reject(away(this.#server, `no answer for ${QUERY_MS / 1_000} s`)), QUERY_MS);
    });
    try {
      return await told(this.#server, Promise.race([this.#wire.run(text, parameters), late]));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'STORE_AWAY') this.doubt();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** There is nothing yet that could be undone: a node of a cluster waits in vain to be where the others are. */
  async begin(): Promise<void> {
    try {
      await this.run('begin', []);
    } catch (error) {
      throw error instanceof Error && 'code' in error && error.code === 'STORE_AGAIN' ? this.#leave(error) : error;
    }
  }

  #leave(cause: Error): Error {
    this.doubt();
    return Object.assign(new Error(cause.message, { cause }), { code: 'STORE_AWAY' });
  }

  /** It is not used again. */
  doubt(): void {
    this.#doubtful = true;
  }

  release(): void {
    this.#wire.release(this.#doubtful);
  }
}

/** A new connection that waits in vain to be where the others are is of a server that cannot store now. */
function taken(server: Server): Promise<Wire> {
  return told(server, server.wires.take(), 'away');
}

/** Passes the result on, and an error with what it means to us; `undone`: what one of those means that say "again". */
async function told<T>(server: Server, work: Promise<T>, undone: 'again' | 'away' = 'again'): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error) || isTold(error)) throw error;
    const said = server.meaningOf(error);
    if (said === 'other') throw error;
    const meaning = said === 'again' ? undone : said;
    // Where all addresses of a name refuse, Node says nothing but the code.
    const text = error.message === '' && 'code' in error ? String(error.code) : error.message;
    if (meaning === 'away') throw away(server, text, error);
    throw Object.assign(new Error(`${server.name}: ${text}`, { cause: error }), { code: 'STORE_AGAIN' });
  }
}

function isTold(error: Error): boolean {
  return 'code' in error && /^(STORE_|NOT_DURABLE)/.test(String(error.code));
}

function away(server: Server, text: string, cause?: Error): Error {
  return Object.assign(new Error(`${server.name}: ${text}`, { cause }), { code: 'STORE_AWAY' });
}
