/**
 * Works one link until it ends: events out as the plan says, marks and requests in. Events wait in the log only: one batch at a
 * time is read, when there is room for it on the link.
 */
import type { EventBatch } from '../../contract/envelope.ts';
import { signBatch, signSync } from '../../contract/signature.ts';
import { createQueue } from '../../lib/queue.ts';
import { type Loop, runAll } from '../../lib/run-all.ts';
import { childOf, orAborted, ticks } from '../../lib/wait.ts';
import { acknowledged, refused, saveBrokerMark, tellOversize } from './acknowledge.ts';
import { answerRequest } from './answer.ts';
import { fittingEvents, followingEvents } from './batch.ts';
import { createHealthReport } from './health-report.ts';
import { heardCentral, heardStored, recheckLate } from './hear.ts';
import { dueSyncs, isDeaf, isStalled, openPlan, step, take } from './plan.ts';
import type { Flight } from './plan-state.ts';
import type { AgentMessage } from './publisher.ts';
import { apply, type Session, type SessionParts, sizeTrouble, tellOnce } from './session-state.ts';

/** Requests that wait for an answer; further ones are dropped, and whoever asked asks again. */
export const REQUEST_LIMIT = 16;
/** How often the plan looks at the clock. */
const TICK_MS = 100;

/** Resolves with why the link is to be opened again, null after an abort. Rejects only with what the log rejects with. */
export async function runSession(parts: SessionParts, outer: AbortSignal): Promise<string | null> {
  const over = childOf(outer);
  const bell = createQueue<true>(1);
  const requests = createQueue<AgentMessage & { type: 'request' }>(REQUEST_LIMIT);
  const session: Session = {
    ...parts,
    plan: openPlan(parts.log.epochs(), parts.rules, parts.monoNow(), parts.sizes.limit ?? undefined),
    incarnation: parts.log.incarnation,
    otherAt: Number.NEGATIVE_INFINITY,
    recheckAt: null,
    recheckedAt: Number.NEGATIVE_INFINITY,
    central: 'unknown',
    told: new Set(),
    asking: new Set(),
    refusalToldAt: null,
    ring: () => void bell.push(true),
  };
  const healthBell = createQueue<true>(1);
  const report = createHealthReport(session);
  let why: string | null = null;
  const end = (reason: string) => {
    why ??= reason;
    over.abort();
  };
  // Each has the signal of all: where one ends with an error of the log, the others must not keep the link.
  const loops: Loop[] = [
    (inner) => send(session, () => bell.takeUpTo(1, inner), inner, end),
    (inner) => receive(session, requests.push, inner),
    (inner) => answer(session, () => requests.takeUpTo(1, inner), inner),
    async (inner) => {
      while ((await healthBell.takeUpTo(1, inner)).length > 0) await report.tell();
    },
    async (inner) => {
      while (!inner.aborted) {
        await parts.log.appended(inner);
        session.ring();
      }
    },
    async (inner) => {
      for await (const _ of ticks(TICK_MS, inner)) {
        session.ring();
        if (report.isDue()) healthBell.push(true);
      }
    },
  ];
  void parts.publisher.ended.then((error) => end(error?.message ?? 'closed'));
  try {
    await runAll(loops, over.signal);
  } finally {
    over.release();
    parts.sizes.limit = session.plan.limit;
  }
  return outer.aborted ? null : why;
}

/** The one place that sends events and syncs. Waits for the bell: something was appended, acknowledged, heard, or time passed. */
async function send(
  session: Session,
  bell: () => Promise<unknown>,
  signal: AbortSignal,
  end: (reason: string) => void,
): Promise<void> {
  const { rules, status, monoNow } = session;
  while (!signal.aborted) {
    const heads = session.log.epochs();
    session.plan = step(session.plan, { type: 'log', epochs: heads }, monoNow(), rules);
    session.plan = step(session.plan, { type: 'tick' }, monoNow(), rules);
    recheckLate(session);
    for (const epoch of dueSyncs(session.plan, monoNow(), rules)) await ask(session, epoch);
    let next = take(session.plan, monoNow(), rules);
    while (next !== null && !signal.aborted) {
      session.plan = next[0];
      await launch(session, next[1]);
      next = take(session.plan, monoNow(), rules);
    }
    status.look();
    status.wentRound();
    if (isDeaf(session.plan, monoNow(), rules)) {
      end(`the broker has acknowledged nothing for ${rules.stalledAfterMs} ms`);
    } else if (isStalled(session.plan, monoNow(), rules)) {
      const away = 'central does not answer: events stay in the log until it does';
      const silent = `central has confirmed nothing for ${rules.stalledAfterMs} ms`;
      if (session.central === 'online') end(sizeTrouble(session.plan.limit) ?? silent);
      // Only its own word that it is away from the only broker is a reason to sit still: a link may be dead in one direction.
      else if (session.central === 'offline' && !session.elsewhere) tellOnce(session, 'away', away);
      else end(away);
    }
    await bell();
  }
}

async function ask(session: Session, epoch: string): Promise<void> {
  const head = session.log.epochs().find((one) => one.epoch === epoch);
  const chain = head === undefined ? null : await session.log.chainAt(epoch, head.lastSeq);
  apply(session, { type: 'synced', epoch });
  if (head === undefined || chain === null || session.asking.has(epoch)) return;
  const { firstSeq, lastSeq } = head;
  const sync = { epoch, firstSeq, lastSeq, chain };
  const proof = session.key === null ? {} : { proof: signSync(session.key, session.log.agent, sync) };
  session.asking.add(epoch);
  const asked = () => void session.asking.delete(epoch);
  // Not awaited: a broker may hold its PUBACK back for as long as it likes. What it says is of no use.
  session.publisher.publishSync({ ...sync, ...proof }).then(asked, asked);
}

/** Reads a batch and hands it to the link. Resolves without waiting for PUBACK. */
async function launch(session: Session, flight: Flight): Promise<void> {
  const { log, publisher, rules } = session;
  const { id, epoch, lane, from, to } = flight;
  const read = await log.read(epoch, from, to, rules.batchEvents, publisher.maxBatchBytes);
  const first = read[0];
  const following = read.slice(0, followingEvents(read));
  const texts = fittingEvents(log.agent, following, publisher.maxBatchBytes);
  const events = following.slice(0, texts.length);
  const last = events.at(-1);
  if (first === undefined) {
    apply(session, { type: 'read', flight: id, from: 1, to: 0 });
    return saveBrokerMark(session, epoch);
  }
  if (last === undefined) {
    const text = `event ${epoch}/${first.seq} is larger than the broker takes (${publisher.maxBatchBytes} bytes): raise its limit`;
    tellOversize(session, `${epoch}/${first.seq}`, text);
    apply(session, { type: 'read', flight: id, from: first.seq, to: first.seq });
    return apply(session, { type: 'skipped', flight: id });
  }
  apply(session, { type: 'read', flight: id, from: first.seq, to: last.seq });
  const batch = await chained(session, epoch, events, first.seq, last.seq);
  // Trimmed since it was read: the next round sees what is left.
  if (batch === null) return apply(session, { type: 'refused', flight: id, pauseMs: TICK_MS });
  let bytes = 0;
  const weigh = (weight: number) => {
    bytes = weight;
    apply(session, { type: 'weighed', flight: id, bytes });
  };
  publisher.publishBatch(lane, batch, texts, weigh).then(
    (result) => {
      if (result.ok) acknowledged(session, flight);
      else refused(session, flight, result, { events, bytes });
    },
    // The link has ended: the plan ends with it, and the next one sends again.
    session.ring,
  );
}

/** The batch as it goes out, signed where there is a key; null where the log no longer knows its chain. */
async function chained(
  { log, key }: Session,
  epoch: string,
  events: EventBatch['events'],
  from: number,
  to: number,
): Promise<EventBatch | null> {
  const chain = await log.chainAt(epoch, to);
  if (chain === null) return null;
  const batch = { agent: log.agent, events, chain };
  if (key === null) return batch;
  const before = await log.chainAt(epoch, from - 1);
  return before === null ? null : { ...batch, proof: signBatch(key, batch, before) };
}

async function receive(
  session: Session,
  request: (message: AgentMessage & { type: 'request' }) => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const messages = await session.publisher.receive(signal);
    if (messages.length === 0) return;
    for (const message of messages) {
      if (message.type === 'stored') await heardStored(session, message.message);
      else if (message.type === 'central') heardCentral(session, message.online, message.fresh);
      else if (message.type === 'ignored') tellOnce(session, message.topic, `${message.reason} on ${message.topic}`);
      else if (!request(message)) tellOnce(session, 'requests', 'more requests than can be answered: some are dropped');
    }
  }
}

async function answer(
  session: Session,
  next: () => Promise<readonly (AgentMessage & { type: 'request' })[]>,
  signal: AbortSignal,
): Promise<void> {
  const { log, health, look, compare, publisher } = session;
  const parts = { agent: log.agent, log, health, look, compare, maxBytes: publisher.maxBatchBytes };
  while (!signal.aborted) {
    for (const { verb, body } of await next()) {
      const response = await answerRequest(parts, verb, body);
      // One at a time, so that askers cannot pile up answers. A broker that never acknowledges it must not keep the link.
      await orAborted(publisher.respond(verb, response).catch(session.ring), signal);
    }
  }
}
