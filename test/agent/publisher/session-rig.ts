/** One session over a link that the test scripts, with a log of its own and a clock moved by hand. */
import { expect, onTestFinished } from 'vitest';
import type { EventLog } from '../../../src/agent/log/event-log.ts';
import { createEpochGate } from '../../../src/agent/publisher/epoch-gate.ts';
import { createLossGate } from '../../../src/agent/publisher/loss-gate.ts';
import type { Lane, PlanRules } from '../../../src/agent/publisher/plan-state.ts';
import type { AgentMessage, Publisher } from '../../../src/agent/publisher/publisher.ts';
import { runSession } from '../../../src/agent/publisher/session.ts';
import type { Sizes } from '../../../src/agent/publisher/session-state.ts';
import { createForwardStatus, type ForwardStatus } from '../../../src/agent/publisher/status.ts';
import { type EventBatch, encodeBatch, MAX_BATCH_BYTES } from '../../../src/contract/envelope.ts';
import type { HealthMessage, StoredMessage, SyncMessage } from '../../../src/contract/message.ts';
import type { SigningKey } from '../../../src/contract/signature.ts';
import type { Published } from '../../../src/lib/mqtt-link.ts';
import { createQueue } from '../../../src/lib/queue.ts';
import { levels, openLog, tempPath } from '../log/log-fixture.ts';

export interface Sent {
  readonly lane: Lane;
  readonly batch: EventBatch;
  /** "backlog 1-10" */
  readonly name: string;
  ack(result?: Published): void;
  lose(): void;
}

export interface Line {
  readonly level: 'info' | 'warn' | 'error';
  readonly text: string;
  readonly fields: object;
}

export interface Rig {
  readonly log: EventLog;
  readonly status: ForwardStatus;
  readonly clock: { nowMs: number };
  readonly sent: Sent[];
  readonly syncs: SyncMessage[];
  readonly healths: HealthMessage[];
  readonly answers: (readonly [string, Readonly<Record<string, unknown>>])[];
  readonly lines: Line[];
  readonly marks: (readonly [number, string])[];
  /** Why the session ended. */
  readonly done: Promise<string | null>;
  readonly epoch: string;
  names(): string[];
  texts(): string[];
  hear(...messages: readonly AgentMessage[]): void;
  /** Central's word with the chain that the log has at `seq`. */
  stored(seq: number, more?: Partial<StoredMessage>): Promise<void>;
  endLink(error: Error | null): void;
  /** Until all that was said has been acted on. */
  settled(): Promise<void>;
  stop(): Promise<string | null>;
}

export interface RigOptions {
  readonly events?: number;
  readonly rules?: Partial<PlanRules>;
  readonly key?: SigningKey;
  readonly acks?: boolean;
  readonly elsewhere?: boolean;
  readonly maxBatchBytes?: number;
  readonly sizes?: Sizes;
  readonly health?: () => Promise<HealthMessage>;
  readonly publishSync?: () => Promise<Published>;
  readonly respond?: () => Promise<Published>;
  readonly prepare?: (log: EventLog) => unknown;
}

const rules: PlanRules = {
  confirm: 'store',
  batchEvents: 10,
  window: 4,
  unconfirmedEvents: 50,
  syncAnswerMs: 300,
  openAfterMs: 300,
  syncAfterMs: 1_000,
  stalledAfterMs: 6_000,
};

export async function startSession(options: RigOptions = {}): Promise<Rig> {
  const log: EventLog = await openLog(tempPath());
  onTestFinished(() => log.close());
  if ((options.events ?? 0) > 0) await log.append(levels(options.events ?? 0));
  const epoch = log.epochs().at(-1)?.epoch ?? '';
  const marks: (readonly [number, string])[] = [];
  const save = log.saveMark.bind(log);
  log.saveMark = (one, seq, incarnation) => {
    marks.push([seq, incarnation]);
    save(one, seq, incarnation);
  };
  // So that a test need not wait for the tick.
  let nudge: () => void = () => undefined;
  const appended = log.appended.bind(log);
  log.appended = (signal) => {
    const nudged = new Promise<void>((resolve) => {
      nudge = resolve;
    });
    return Promise.race([appended(signal), nudged]);
  };
  await options.prepare?.(log);
  const clock = { nowMs: 1_000_000 };
  const monoNow = () => clock.nowMs;
  const applied = { ...rules, ...options.rules };
  let rounds = 0;
  const status = createForwardStatus({ log, stalledAfterMs: applied.stalledAfterMs, monoNow, now: () => clock.nowMs });
  const look = status.look.bind(status);
  status.look = () => {
    rounds++;
    look();
  };
  const lines: Line[] = [];
  const tell = (level: Line['level']) => (fields: object, text: string) => void lines.push({ level, text, fields });
  const link = scriptedPublisher(options);
  const sizes = options.sizes ?? { limit: null, isTold: false };
  const stop = new AbortController();
  const done = runSession(
    {
      publisher: link.publisher,
      log,
      key: options.key ?? null,
      rules: applied,
      retry: { firstMs: 1_000, maxMs: 20_000 },
      elsewhere: options.elsewhere ?? false,
      healthEveryMs: 60_000,
      health: options.health ?? (() => ({ queue: status.queue, stalled: status.stalled }) as HealthMessage),
      status,
      logger: { info: tell('info'), warn: tell('warn'), error: tell('error') },
      epochGate: createEpochGate(monoNow),
      lossGate: createLossGate(monoNow),
      sizes,
      monoNow,
      random: () => 0,
    },
    stop.signal,
  );
  const stopped = () => {
    stop.abort();
    return done;
  };
  onTestFinished(async () => void (await stopped().catch(() => null)));
  const settled = async () => {
    const [seen, most] = [rounds, 1_000];
    for (let turn = 0; turn < most && (turn < 8 || rounds < seen + 3); turn += 1) {
      nudge();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(rounds).toBeGreaterThan(seen + 2);
  };
  return {
    ...link,
    log,
    status,
    clock,
    lines,
    marks,
    done,
    epoch,
    names: () => link.sent.map(({ name }) => name),
    texts: () => lines.map(({ text }) => text),
    async stored(seq, more = {}) {
      const chain = (await log.chainAt(more.epoch ?? epoch, seq)) ?? new Uint8Array(32);
      link.hear({ type: 'stored', message: { incarnation: 'first', epoch, seq, chain, need: [], ...more } });
      await settled();
    },
    settled,
    stop: stopped,
  };
}

function scriptedPublisher({ acks = true, maxBatchBytes = MAX_BATCH_BYTES, publishSync, respond }: RigOptions) {
  const sent: Sent[] = [];
  const syncs: SyncMessage[] = [];
  const healths: HealthMessage[] = [];
  const answers: (readonly [string, Readonly<Record<string, unknown>>])[] = [];
  const incoming = createQueue<AgentMessage>(1_000);
  const ok = { ok: true } as const;
  let endLink: (error: Error | null) => void = () => undefined;
  const ended = new Promise<Error | null>((resolve) => {
    endLink = resolve;
  });
  const publisher: Publisher = {
    protocol: '5',
    receiveMaximum: 10,
    maxBatchBytes,
    publishBatch: (lane, batch, texts, weigh) =>
      new Promise((resolve, reject) => {
        weigh?.(Buffer.byteLength(encodeBatch(batch, texts)));
        const name = `${lane} ${batch.events[0]?.seq}-${batch.events.at(-1)?.seq}`;
        sent.push({
          lane,
          batch,
          name,
          ack: (result = ok) => resolve(result),
          lose: () => reject(new Error('link ended')),
        });
        if (acks) resolve(ok);
      }),
    async publishSync(message) {
      syncs.push(message);
      return publishSync === undefined ? ok : publishSync();
    },
    publishState: async () => ok,
    async publishHealth(health) {
      healths.push(health);
      return ok;
    },
    async respond(verb, body) {
      answers.push([verb, body]);
      return respond === undefined ? ok : respond();
    },
    receive: (signal) => incoming.takeUpTo(256, signal),
    ended,
    close: async () => undefined,
  };
  const hear = (...messages: readonly AgentMessage[]) => {
    for (const message of messages) incoming.push(message);
  };
  return { publisher, sent, syncs, healths, answers, hear, endLink };
}
