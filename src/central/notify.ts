/**
 * Tells webhooks what the store has for them, beside the other loops: at least once, also over restarts and outages, since a notice is
 * a row that was written with its event and goes when it was answered. Never from a replay, which writes no events.
 */
import type { Logger } from 'pino';
import { runAll } from '../lib/run-all.ts';
import { aborted, backoffMs } from '../lib/wait.ts';
import type { Changes } from './api/changes.ts';
import { cloudEventText } from './api/cloud-event.ts';
import type { CentralConfig } from './config.ts';
import { isLost } from './outage.ts';
import type { Notice, NoticeStore } from './store/notice-store.ts';
import type { ReadStore } from './store/store.ts';
import { type Delivered, type Send, sendWebhook, type Webhook, webhooksOf } from './webhook.ts';

/** Then it is given up: after half a day, most of it an hour apart. */
export const MAX_TRIES = 24;
export const RETRY = { firstMs: 1_000, maxMs: 3_600_000 };
/** Of one round of one webhook. */
export const BATCH = 8;
/** Longer than a round can take: who has died in it has lost what it had to another by then. */
export const CLAIM_MS = 180_000;
/** Another process may have written: so often the store is asked if nobody tells. */
const IDLE_MS = 5_000;
const STOPPED = 'central stopped';

export interface NotifyParts {
  readonly store: NoticeStore & Pick<ReadStore, 'event' | 'cats'>;
  readonly webhooks: readonly Webhook[];
  readonly send: Send;
  readonly changes: Pick<Changes, 'version' | 'after'>;
  readonly clock: () => Date;
  readonly random: () => number;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly tried?: (outcome: Delivered) => void;
}

/** What the configuration and the process say of it. */
export function notifying(
  config: Pick<CentralConfig, 'webhooks' | 'webhookSecret'>,
  { logger, version, clock = () => new Date(), random = Math.random }: NotifyDeps,
): Omit<NotifyParts, 'store' | 'changes' | 'tried'> {
  return { webhooks: webhooksOf(config), send: sendWebhook(version), clock, random, logger };
}

interface NotifyDeps {
  readonly logger: NotifyParts['logger'];
  readonly version: string;
  readonly clock?: () => Date;
  readonly random?: () => number;
}

/** Resolves after the signal aborted. A store that fails is asked again; rejects with code STORE_FAILED once it is lost. */
export async function runNotify(parts: NotifyParts, signal: AbortSignal): Promise<void> {
  const { webhooks } = parts;
  if (webhooks.length === 0) return aborted(signal);
  // Each by itself: one that hangs holds up no other.
  await runAll(
    webhooks.map((hook) => (stop) => notifyOne(parts, hook, stop)),
    signal,
  );
}

async function notifyOne(parts: NotifyParts, hook: Webhook, signal: AbortSignal): Promise<void> {
  const { store, changes, clock, logger } = parts;
  const heard = { isFailing: false };
  while (!signal.aborted) {
    const seen = changes.version;
    let waitMs = IDLE_MS;
    try {
      const now = clock().getTime();
      // One after the other, so that it hears of things in the order of their events, as far as none has to be said again.
      for (const notice of await store.claimNotices([hook.target], now, now + CLAIM_MS, BATCH)) {
        if (signal.aborted) await store.noticeFailed(notice, clock().getTime(), STOPPED);
        else await tell(parts, hook, notice, heard, signal);
      }
      const next = await store.nextNoticeMs([hook.target]);
      if (next !== null) waitMs = Math.min(IDLE_MS, Math.max(0, next - clock().getTime()));
    } catch (error) {
      if (isLost(error)) throw error;
      logger.warn({ err: error }, 'the store could not be asked for notices');
    }
    if (waitMs > 0) await changes.after(seen, signal, waitMs);
  }
}

async function tell(
  parts: NotifyParts,
  hook: Webhook,
  notice: Notice,
  heard: { isFailing: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, random, logger, tried } = parts;
  const webhook = hook.shown;
  const delivery = {
    id: `${notice.epoch}/${notice.seq}`,
    body: await bodyOf(parts, notice),
    atMs: clock().getTime(),
  };
  const outcome = await parts.send(hook, delivery, signal);
  if (outcome.ok) {
    await store.noticeTold(notice);
    if (heard.isFailing) logger.info({ webhook }, 'the webhook answers again');
    heard.isFailing = false;
  } else if (signal.aborted) {
    return store.noticeFailed(notice, clock().getTime(), STOPPED);
  } else {
    const { reason } = outcome;
    const isLast = notice.attempts >= MAX_TRIES;
    const again = clock().getTime() + backoffMs(notice.attempts - 1, RETRY, random());
    await store.noticeFailed(notice, isLast ? null : again, reason);
    const text = 'a webhook was not told: collard central webhooks --retry tries again';
    if (isLast) logger.error({ webhook, event: delivery.id, reason }, text);
    else if (!heard.isFailing) logger.warn({ webhook }, `a webhook is told later: ${reason}`);
    heard.isFailing = true;
  }
  tried?.(outcome);
}

/** The event as a CloudEvent, with the name of its cat, so that a person can be told without asking back. */
async function bodyOf({ store, clock }: NotifyParts, { epoch, seq }: Notice): Promise<string> {
  const event = await store.event(epoch, seq);
  if (event === null) return JSON.stringify({ specversion: '1.0', id: `${epoch}/${seq}` });
  const told = JSON.parse(cloudEventText(event)) as { readonly data?: { readonly catId?: unknown } };
  const cat = (await store.cats(clock())).find(({ id }) => id === told.data?.catId);
  return JSON.stringify({ ...told, ...(cat === undefined ? {} : { catname: cat.name }) });
}
