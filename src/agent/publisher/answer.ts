/** Answers requests that come over MQTT: what central and `collard verify` ask of an agent. Reads only, bounded. */
import { chainHex } from '../../contract/chain.ts';
import {
  type CompareAnswer,
  type CompareQuestion,
  encodeCompared,
  parseCompareQuestion,
} from '../../contract/compare.ts';
import { encodeLive, type LiveTrace } from '../../contract/live.ts';
import type { HealthMessage } from '../../contract/message.ts';
import type { LogReader } from '../log/event-log.ts';
import { fittingEvents } from './batch.ts';

export interface AnswerParts {
  readonly agent: string;
  readonly log: LogReader;
  readonly health: () => HealthMessage | Promise<HealthMessage>;
  /** What a collar does, from a column on, or why nobody more may look on; absent: nobody may. */
  readonly look?: Look | undefined;
  /** What other settings would have made of kept readings, or why it is not to be had; absent: nobody may ask. */
  readonly compare?: Compare | undefined;
  readonly maxBytes: number;
}

export type Look = (collar: string, from: number) => LiveTrace | string;
export type Compare = (question: CompareQuestion) => CompareAnswer | string;

/** Events in one answer; who wants more asks again from `to` + 1. */
export const MAX_ANSWER_EVENTS = 500;
const MAX_TRANSACTION = 128;

type Body = Readonly<Record<string, unknown>>;

/** The payload of the response. What is wrong with the request is said in it; only the log's own failures reject. */
export async function answerRequest(parts: AnswerParts, verb: string, body: Body): Promise<Body> {
  const transaction = typeof body.transaction === 'string' ? body.transaction.slice(0, MAX_TRANSACTION) : null;
  const answer = await work(parts, verb, body);
  return typeof answer === 'string'
    ? { transaction, status: 'error', reason: answer }
    : { transaction, status: 'ok', ...answer };
}

/** A text is the reason why not. */
async function work(parts: AnswerParts, verb: string, body: Body): Promise<Body | string> {
  const { log } = parts;
  switch (verb) {
    case 'health':
      return { health: await parts.health() };
    case 'epochs':
      return { epochs: log.epochs() };
    case 'chain': {
      const head = headOf(log, body.epoch);
      if (head === undefined) return 'epoch is unknown here';
      const seq = body.seq ?? head.lastSeq;
      if (!isSeq(seq) || seq > head.lastSeq) return `seq must be a whole number from 0 to ${head.lastSeq}`;
      const chain = await log.chainAt(head.epoch, seq);
      const { epoch, firstSeq, lastSeq } = head;
      return { epoch, seq, chain: chain === null ? null : chainHex(chain), firstSeq, lastSeq };
    }
    case 'events':
      return events(parts, body);
    case 'live': {
      const { collar, from = 0 } = body;
      if (typeof collar !== 'string' || collar === '') return 'collar must be the name of one';
      if (!isSeq(from)) return 'from must be a whole number';
      const trace = parts.look?.(collar, from) ?? 'nobody may look on here';
      return typeof trace === 'string' ? trace : encodeLive(trace);
    }
    case 'compare': {
      const question = parseCompareQuestion(body);
      const answer =
        typeof question === 'string' ? question : (parts.compare?.(question) ?? 'nothing is compared here');
      if (typeof answer === 'string') return answer;
      return answer.working ? { working: true } : { working: false, ...encodeCompared(answer.compared) };
    }
    default:
      return `unknown request "${verb.slice(0, 32)}": health, epochs, chain, events, live, compare are answered`;
  }
}

async function events(parts: AnswerParts, body: Body): Promise<Body | string> {
  const { log, agent, maxBytes } = parts;
  const head = headOf(log, body.epoch);
  if (head === undefined) return 'epoch is unknown here';
  const { from, to } = body;
  if (!isSeq(from) || !isSeq(to) || from < 1 || to < from) return 'from and to must be whole numbers, from 1 up';
  const { epoch, firstSeq, lastSeq } = head;
  const read = await log.read(epoch, from, to, MAX_ANSWER_EVENTS, maxBytes);
  const list = fittingEvents(agent, read, maxBytes - 512).map((text) => JSON.parse(text) as Body);
  return { epoch, firstSeq, lastSeq, events: list };
}

/** The current epoch where none is named. */
function headOf(log: LogReader, epoch: unknown) {
  const heads = log.epochs();
  return epoch === undefined ? heads.at(-1) : heads.find((head) => head.epoch === epoch);
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
