/** Asks an agent over MQTT: one request, one response with the same transaction. */
import { randomUUID } from 'node:crypto';
import { parseChainHex } from '../contract/chain.ts';
import { parseObject } from '../contract/message.ts';
import { requestTopic, responseTopic } from '../contract/topic.ts';
import type { LinkOptions, MqttLink, OpenLink } from '../lib/mqtt-link.ts';
import { delay } from '../lib/wait.ts';
import type { AgentHistory } from './history.ts';

/** Responses that wait for us; more are held back. */
const MAX_INCOMING = 16;
const VERBS = ['epochs', 'chain'] as const;

export interface AskOptions {
  readonly link: Pick<
    LinkOptions,
    'url' | 'username' | 'password' | 'ca' | 'cert' | 'key' | 'keepaliveSeconds' | 'connectTimeoutMs'
  >;
  readonly base: string;
  readonly agent: string;
  /** An agent that has not answered by then is taken for away. */
  readonly answerWithinMs: number;
}

export interface RemoteHistory extends AgentHistory {
  close(): Promise<void>;
}

/**
 * `request/epochs` gives `{epochs}`, `request/chain` with `{epoch, seq}` gives `{chain}`, null where it is not known any more.
 * Rejects as the link does; its answers reject with code NO_ANSWER or REQUEST_FAILED.
 */
export async function openRemoteHistory(
  options: AskOptions,
  openLink: OpenLink,
  signal: AbortSignal,
): Promise<RemoteHistory> {
  const link = await openLink(
    {
      ...options.link,
      clientId: `collard-verify-${randomUUID().slice(0, 8)}`,
      cleanStart: true,
      sessionExpirySeconds: 0,
      incomingLimit: MAX_INCOMING,
    },
    signal,
  );
  try {
    await link.subscribe(VERBS.map((verb) => responseTopic(options.base, options.agent, verb)));
  } catch (error) {
    await link.close();
    throw error;
  }
  return {
    async epochs() {
      const { epochs } = await ask(link, options, 'epochs', {}, signal);
      if (!Array.isArray(epochs)) throw failure('REQUEST_FAILED', `${options.agent} tells no epochs`);
      return epochs.map((head: unknown) => {
        const { epoch, firstSeq, lastSeq } = head as Record<string, unknown>;
        if (typeof epoch !== 'string' || typeof firstSeq !== 'number' || typeof lastSeq !== 'number') {
          throw failure('REQUEST_FAILED', `${options.agent} tells an epoch that is none`);
        }
        return { epoch, firstSeq, lastSeq };
      });
    },
    async chainAt(epoch, seq) {
      const { chain } = await ask(link, options, 'chain', { epoch, seq }, signal);
      return parseChainHex(chain);
    },
    close: () => link.close(),
  };
}

async function ask(
  link: MqttLink,
  options: AskOptions,
  verb: (typeof VERBS)[number],
  question: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { base, agent, answerWithinMs } = options;
  const transaction = randomUUID();
  const late = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
  const payload = JSON.stringify({ transaction, ...question });
  const sent = link.publish(requestTopic(base, agent, verb), payload, { qos: 1, retain: false });
  await Promise.race([sent, delay(answerWithinMs, late)]);
  while (!late.aborted) {
    const messages = await link.incoming.takeUpTo(MAX_INCOMING, late);
    if (messages.length === 0) break;
    for (const message of messages) {
      message.done();
      const answer = parseObject(message.payload);
      if (answer?.transaction !== transaction) continue;
      if (answer.status === 'ok') return answer;
      throw failure('REQUEST_FAILED', `${agent} answers: ${String(answer.reason ?? 'error')}`);
    }
  }
  throw failure('NO_ANSWER', `${agent} does not answer within ${answerWithinMs} ms`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
