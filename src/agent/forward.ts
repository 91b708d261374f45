/**
 * forward: log → publisher. Opens one link after the other, for ever, and works each until it ends. Offline it holds nothing
 * but the log. What is told here is told once: each different error until a link is up again.
 */
import { hasSeveralBrokers } from '../broker/address.ts';
import type { HealthMessage } from '../contract/message.ts';
import type { SigningKey } from '../contract/signature.ts';
import type { OpenLink } from '../lib/mqtt-link.ts';
import { backoffMs, delay } from '../lib/wait.ts';
import type { AgentConfig } from './config.ts';
import type { EventLog } from './log/event-log.ts';
import type { Compare, Look } from './publisher/answer.ts';
import { createEpochGate, type EpochGate } from './publisher/epoch-gate.ts';
import { createLossGate, type LossGate } from './publisher/loss-gate.ts';
import type { PlanRules } from './publisher/plan-state.ts';
import { openPublisher, type Publisher } from './publisher/publisher.ts';
import { runSession } from './publisher/session.ts';
import type { Logger, Sizes } from './publisher/session-state.ts';
import type { ForwardStatus } from './publisher/status.ts';

/** An answer to `sync` is waited for so long before it is done without. */
const SYNC_ANSWER_MS = 3_000;
/** So often the wait for a word of central doubles. */
const MAX_STALLS = 4;
/** Different errors that are remembered as told. */
const TOLD_LIMIT = 100;

export interface ForwardParts {
  readonly config: Pick<AgentConfig, 'agent' | 'mqtt' | 'forward' | 'health'>;
  readonly log: EventLog;
  readonly openLink: OpenLink;
  /** Kept up to date while the loop runs, by `createForwardStatus`. */
  readonly status: ForwardStatus;
  readonly health: () => HealthMessage | Promise<HealthMessage>;
  /** For who looks on; absent: nobody may. */
  readonly look?: Look;
  readonly compare?: Compare;
  /** Asked at each link. null, or absent: nothing is signed. */
  readonly signer?: () => Promise<SigningKey | null>;
  readonly version: string;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly monoNow: () => number;
  /** 0 ≤ random < 1. */
  readonly random: () => number;
}

/** Resolves after the signal aborts, within 2 s, when "offline" has been told. Rejects only with what the log rejects with. */
export async function runForward(parts: ForwardParts, signal: AbortSignal): Promise<void> {
  const { config, log, status, random, monoNow } = parts;
  const retry = { firstMs: config.mqtt.retryFirstMs, maxMs: config.mqtt.retryMaxMs };
  const told = new Set<string>();
  const sizes = { limit: null, isTold: false };
  const gates = { epochGate: createEpochGate(monoNow), lossGate: createLossGate(monoNow), sizes };
  const elsewhere = hasSeveralBrokers(config.mqtt.url);
  let failures = 0;
  /** Links in a row over which nothing was confirmed until they were given up. */
  let stalls = 0;
  let session: number | null = null;
  while (!signal.aborted) {
    status.link = 'connecting';
    status.wentRound();
    // A number that no broker has seen is used again: offline nothing is written for it.
    session ??= await log.nextSession();
    const publisher = await open(parts, session, told, signal);
    if (publisher !== null) {
      session = null;
      const { acknowledged: before, confirmations } = status;
      const openedAt = monoNow();
      const waits = waitsAfter(stalls, config.forward);
      const why = await work(parts, publisher, waits, gates, signal);
      if (status.confirmations > confirmations) stalls = 0;
      else if (!elsewhere && status.stalled && monoNow() - openedAt >= waits.stalledAfterMs) stalls++;
      // A quiet house has nothing to acknowledge for days: a link that lasted was a good one too.
      if (status.acknowledged > before || monoNow() - openedAt > retry.maxMs) failures = 0;
      if (why !== null) tell(parts, told, why);
    }
    if (!signal.aborted) await delay(backoffMs(failures, retry, random()), signal);
    failures++;
  }
  status.link = 'stopped';
}

/**
 * What was given up as stalled may still lie at the broker, before a central that is slow. Then the next link waits for its answer
 * before it sends anything again, and longer: otherwise each link adds the same events to what central has to read.
 */
export function waitsAfter(
  stalls: number,
  { syncAfterMs, stalledAfterMs }: Pick<AgentConfig['forward'], 'syncAfterMs' | 'stalledAfterMs'>,
): Pick<PlanRules, 'syncAnswerMs' | 'openAfterMs' | 'stalledAfterMs'> {
  const syncAnswerMs = Math.min(SYNC_ANSWER_MS, syncAfterMs);
  const longer = stalledAfterMs * 2 ** Math.min(stalls, MAX_STALLS);
  return { syncAnswerMs, openAfterMs: stalls === 0 ? syncAnswerMs : longer, stalledAfterMs: longer };
}

interface Gates {
  readonly epochGate: EpochGate;
  readonly lossGate: LossGate;
  readonly sizes: Sizes;
}

/** null: no link, and it is told why. */
async function open(
  parts: ForwardParts,
  session: number,
  told: Set<string>,
  signal: AbortSignal,
): Promise<Publisher | null> {
  const { config, version, openLink, status, logger } = parts;
  try {
    const publisher = await openPublisher(
      {
        mqtt: config.mqtt,
        agent: config.agent,
        version,
        session,
        compress: config.forward.compress,
        elsewhere: hasSeveralBrokers(config.mqtt.url),
      },
      openLink,
      signal,
    );
    const { protocol } = publisher;
    Object.assign(status, { link: 'online', protocol, session, links: status.links + 1 });
    told.clear();
    logger.info({ session, protocol }, `connected to the broker, MQTT ${protocol}`);
    return publisher;
  } catch (error) {
    if (!signal.aborted) tell(parts, told, error instanceof Error ? error.message : String(error));
    return null;
  }
}

async function work(
  parts: ForwardParts,
  publisher: Publisher,
  waits: ReturnType<typeof waitsAfter>,
  gates: Gates,
  signal: AbortSignal,
): Promise<string | null> {
  const { config, log, status, health, look, compare, logger, monoNow, random, signer } = parts;
  const { confirm, batchEvents, windowBatches, unconfirmedEvents, syncAfterMs } = config.forward;
  const rules: PlanRules = {
    confirm,
    batchEvents,
    // One is left for sync, state and answers.
    window: Math.max(1, Math.min(windowBatches, publisher.receiveMaximum - 1)),
    unconfirmedEvents,
    syncAfterMs,
    ...waits,
  };
  const retry = { firstMs: config.mqtt.retryFirstMs, maxMs: config.mqtt.retryMaxMs };
  const healthEveryMs = config.health.everyMs;
  const elsewhere = hasSeveralBrokers(config.mqtt.url);
  try {
    const key = (await signer?.()) ?? null;
    return await runSession(
      {
        publisher,
        log,
        key,
        rules,
        retry,
        elsewhere,
        healthEveryMs,
        health,
        look,
        compare,
        status,
        logger,
        ...gates,
        monoNow,
        random,
      },
      signal,
    );
  } finally {
    await publisher.close();
  }
}

function tell(parts: ForwardParts, told: Set<string>, text: string): void {
  parts.status.lastError = text;
  if (told.has(text) || told.size >= TOLD_LIMIT) return;
  told.add(text);
  parts.logger.warn({ retry: 'goes on', events: 'are kept in the log' }, text);
}
