/** What stands outside of the machine: broker and central on this one, and somebody who hears all that the agent sends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'mqtt';
import { decodeBatch } from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { createPart } from '../e2e/stack.ts';
import { freePort, startMosquitto, until } from '../servers.ts';

export interface Sync {
  readonly epoch: string;
  readonly lastSeq: number;
}

export interface Outside {
  /** Of the broker, on 127.0.0.1. */
  readonly port: number;
  readonly http: string;
  readonly centralYaml: string;
  /** Each event that left the machine, by epoch and seq, as it was first heard. */
  readonly heard: ReadonlyMap<string, StoredEvent>;
  /** What the agent said of its log, oldest first. */
  readonly syncs: readonly Sync[];
  until(what: string, holds: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export const keyOf = ({ epoch, seq }: Pick<StoredEvent, 'epoch' | 'seq'>) => `${epoch}/${seq}`;

export async function openOutside(agent: string): Promise<Outside> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-outside-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const broker = await startMosquitto(['persistence true', 'max_queued_messages 0', 'autosave_interval 1']);
  const port = await freePort();
  const centralYaml = join(folder, 'central.yaml');
  writeFileSync(
    centralYaml,
    `store: { url: "sqlite:${join(folder, 'central.db')}" }
mqtt: { url: "${broker.url}", retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 5 }
http: { port: ${port} }
`,
  );
  const central = createPart('central', folder, ['central', '--config', centralYaml]);
  central.start();
  const ear = connect(broker.url, { clean: true });
  const heard = new Map<string, StoredEvent>();
  const syncs: Sync[] = [];
  ear.on('message', (topic, payload) => {
    if (topic.endsWith('/sync')) syncs.push(JSON.parse(payload.toString()) as Sync);
    else {
      const decoded = decodeBatch(payload);
      if (!decoded.ok) throw new Error(`the agent sent what nobody can read: ${decoded.reason}`);
      for (const event of decoded.batch.events) if (!heard.has(keyOf(event))) heard.set(keyOf(event), event);
    }
  });
  await ear.subscribeAsync(
    ['events', 'backlog', 'sync'].map((channel) => `collard/v1/+/${agent}/${channel}`),
    { qos: 1 },
  );
  return {
    port: broker.port,
    http: `http://127.0.0.1:${port}`,
    centralYaml,
    heard,
    syncs,
    until: (what, holds, withinMs = 900_000) => until(what, holds, withinMs),
    async stop() {
      await ear.endAsync(true);
      await central.stop();
      await broker.stop();
      process.removeListener('exit', remove);
      remove();
    },
  };
}
