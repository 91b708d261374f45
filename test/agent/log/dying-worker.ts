/**
 * In place of the log's thread: answers next to nothing, and ends in the way that the reason of a new epoch names. The one of the
 * agent "short-lived" ends when something is to be appended.
 */
import { once } from 'node:events';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { LogAnswer, LogRequest, LogStart } from '../../../src/agent/log/serve-log.ts';

const epoch = { epoch: '01a20867-068a-70da-b9ee-759f41bde6a8', firstSeq: 1, lastSeq: 5, storedSeq: 0 };
const state = { epochs: [epoch], incarnation: null, unsyncedBoot: null, failedSources: [], bytes: 0, written: null };
const [{ options }] = (await once(parentPort as MessagePort, 'message')) as [LogStart];
parentPort?.postMessage({ type: 'opened', state } satisfies LogAnswer);
parentPort?.on('message', ({ id, method, args: [reason] }: LogRequest) => {
  if (method === 'nextSession' && options.agent === 'porch')
    parentPort?.postMessage({ type: 'failed', id, code: '', message: 'a fault of ours' } satisfies LogAnswer);
  if (method === 'remembered') {
    parentPort?.postMessage({ type: 'held', message: 'it is locked' } satisfies LogAnswer);
    parentPort?.postMessage({ type: 'done', id, value: [], state } satisfies LogAnswer);
  }
  if (method === 'append' && options.agent === 'short-lived') process.exit(3);
  if (method !== 'startEpoch') return;
  if (reason === 'throw') throw new Error('out of luck');
  if (reason === 'exit') process.exit(3);
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, () => ({})));
});
