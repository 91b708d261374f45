/**
 * In place of the log's thread: answers appends when as many are here as may be at once, each with how many there were; marks when
 * a session is asked for. What was asked so far it tells as what is remembered.
 */
import { once } from 'node:events';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { MAX_CALLS } from '../../../src/agent/log/log-thread.ts';
import type { LogAnswer, LogRequest } from '../../../src/agent/log/serve-log.ts';

const TURNS = 100;
const epoch = { epoch: '01a20867-068a-70da-b9ee-759f41bde6a8', firstSeq: 1, lastSeq: 5, storedSeq: 0 };
const state = { epochs: [epoch], incarnation: null, unsyncedBoot: null, failedSources: [], bytes: 0, written: null };
const came: string[] = [];
let appends: number[] = [];
let marks: number[] = [];
const tell = (answer: LogAnswer) => parentPort?.postMessage(answer);
const done = (id: number, value: unknown = null) => tell({ type: 'done', id, value, state });

/** Later than all that has been sent. */
async function answerAppends(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const held = appends;
  appends = [];
  for (const id of held) done(id, held.length);
}

await once(parentPort as MessagePort, 'message');
tell({ type: 'opened', state });
parentPort?.on('message', ({ id, method, args }: LogRequest) => {
  if (method === 'remembered') return done(id, [...came]);
  came.push([method, ...args].join(' '));
  if (method === 'saveMark') marks.push(id);
  if (method === 'append' && appends.push(id) === MAX_CALLS) void answerAppends();
  if (method !== 'nextSession') return;
  for (const mark of marks) done(mark);
  marks = [];
  done(id, 1);
});
