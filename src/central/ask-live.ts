/** Asks agents what a collar does now and what settings would change, over a link of its own that is there only while somebody wants to know. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { parseObject } from '../contract/message.ts';
import { parseAgentTopic, requestTopic } from '../contract/topic.ts';
import type { Incoming, LinkOptions, MqttLink, OpenLink } from '../lib/mqtt-link.ts';
import { createQueue } from '../lib/queue.ts';
import { backoffMs, childOf, createWaiters, delay, ticks } from '../lib/wait.ts';

export interface LiveLine {
  /** What it says where it is willing. Rejects with code NO_ANSWER, NOT_CONNECTED or LOOK_REFUSED. */
  ask(agent: string, verb: LiveVerb, question: Body): Promise<Body>;
  /** Resolves after the signal aborted. Never rejects: that there is no broker is told. */
  run(signal: AbortSignal): Promise<void>;
}

export type LiveVerb = 'live' | 'compare';

export interface LiveLineParts {
  readonly openLink: OpenLink;
  readonly link: Omit<LinkOptions, 'clientId' | 'cleanStart' | 'sessionExpirySeconds' | 'will' | 'incomingLimit'>;
  readonly base: string;
  /** The client id begins with it. */
  readonly group: string;
  readonly logger: Pick<Logger, 'warn'>;
  readonly random: () => number;
  /** Looked at each second: where it is false the link ends. */
  readonly isWanted: () => boolean;
}

/** An agent that has not answered by then is taken for away. */
export const ANSWER_MS = 4_000;
const ROUND_MS = 1_000;
const MAX_INCOMING = 64;
const MAX_ANSWER_BYTES = 64 * 1024;
const RETRY = { firstMs: 500, maxMs: 10_000 };

export type Body = Readonly<Record<string, unknown>>;

interface Asked {
  readonly agent: string;
  answer(body: Body): void;
}

export function createLiveLine(parts: LiveLineParts): LiveLine {
  const { base } = parts;
  const asked = new Map<string, Asked>();
  const bell = createQueue<true>(1);
  const connected = createWaiters();
  let link: MqttLink | null = null;
  const take = ({ topic, payload, done }: Incoming) => {
    done();
    const body = parseObject(payload, MAX_ANSWER_BYTES);
    const one = asked.get(String(body?.transaction));
    if (body !== null && one?.agent === parseAgentTopic(base, topic)?.agent) one?.answer(body);
  };
  return {
    async ask(agent, verb, question) {
      const over = new AbortController();
      const late = delay(ANSWER_MS, over.signal).then(() => over.abort());
      const transaction = randomUUID();
      try {
        bell.push(true);
        while (link === null && !over.signal.aborted) await connected.wait(over.signal);
        if (link === null) throw failure('NOT_CONNECTED', 'central has no connection to the broker');
        const answered = new Promise<Body>((answer) => asked.set(transaction, { agent, answer }));
        const payload = JSON.stringify({ transaction, ...question });
        // What gets lost is asked for again, and of an agent that is away nothing may wait at the broker.
        const sent = link.publish(requestTopic(base, agent, verb), payload, { qos: 0, retain: false });
        sent.catch(() => over.abort());
        const body = await Promise.race([answered, late.then(() => null)]);
        if (body === null) throw failure('NO_ANSWER', `${agent} does not answer: is it online?`);
        return willing(agent, verb, body);
      } finally {
        asked.delete(transaction);
        over.abort();
      }
    },
    async run(signal) {
      let failures = 0;
      while ((await bell.takeUpTo(1, signal)).length > 0) {
        const opened = await openTo(parts, signal);
        failures = opened === null ? failures + 1 : 0;
        if (opened === null) {
          await delay(backoffMs(failures, RETRY, parts.random()), signal);
          continue;
        }
        link = opened;
        connected.wake();
        await work(opened, take, parts.isWanted, signal);
        link = null;
        await opened.close();
      }
    },
  };
}

/** Until the link ends or nobody wants it any more. */
async function work(
  link: MqttLink,
  take: (message: Incoming) => void,
  isWanted: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const over = childOf(signal);
  void link.ended.then(over.abort);
  const watching = (async () => {
    for await (const _ of ticks(ROUND_MS, over.signal)) if (!isWanted()) over.abort();
  })();
  while (!over.signal.aborted) {
    for (const message of await link.incoming.takeUpTo(MAX_INCOMING, over.signal)) take(message);
  }
  await watching;
  over.release();
}

/** null: it cannot be opened, and it is told why. */
async function openTo(parts: LiveLineParts, signal: AbortSignal): Promise<MqttLink | null> {
  const { openLink, base, group, logger } = parts;
  try {
    const link = await openLink(
      {
        ...parts.link,
        clientId: `${group}-live-${randomUUID().slice(0, 8)}`,
        cleanStart: true,
        sessionExpirySeconds: 0,
        incomingLimit: MAX_INCOMING,
      },
      signal,
    );
    try {
      await link.subscribe([`${base}/+/+/response/live`, `${base}/+/+/response/compare`]);
      return link;
    } catch (error) {
      await link.close();
      throw error;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!signal.aborted) logger.warn({ reason }, 'nobody can look on at collars');
    return null;
  }
}

function willing(agent: string, verb: LiveVerb, body: Body): Body {
  if (body.status === 'ok') return body;
  const words = String(body.reason ?? 'error').slice(0, 200);
  const old = { live: 'shows nothing live', compare: 'compares no settings' }[verb];
  const isOld = words.startsWith('unknown request');
  throw failure('LOOK_REFUSED', isOld ? `${agent} is of a version that ${old}` : `${agent}: ${words}`);
}

export function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
