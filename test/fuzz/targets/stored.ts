/** What central confirms, read from the wire and taken into a plan: bounded numbers, and a mark within the log. */
import { openPlan, step } from '../../../src/agent/publisher/plan.ts';
import type { PlanRules } from '../../../src/agent/publisher/plan-state.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { decodeStored, encodeStored, MAX_NEED_RANGES } from '../../../src/contract/message.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { CHAIN, EPOCH, isSeq, MESSAGE_WORDS } from './message.ts';

const LAST_SEQ = 40;
const rules: PlanRules = {
  confirm: 'store',
  batchEvents: 5,
  window: 4,
  unconfirmedEvents: 500,
  syncAnswerMs: 100,
  openAfterMs: 100,
  syncAfterMs: 100,
  stalledAfterMs: 1_000,
};

export function open(): FuzzTarget {
  const stored = (more: string) => `{"incarnation":"i1","epoch":"${EPOCH}","seq":7,"chain":"${CHAIN}"${more}}`;
  return {
    seeds: [
      stored(''),
      stored(',"need":[]'),
      stored(',"need":[[1,2],[5,5]]'),
      stored(',"need":[[9,9],[9,20],[3,4]]'),
      stored(',"need":[],"batch":null'),
      stored(`,"need":[],"batch":{"from":3,"to":7,"chain":"${CHAIN}"}`),
    ].map(bytes),
    words: MESSAGE_WORDS,
    maxBytes: 2_048,
    run(input) {
      const message = decodeStored(input);
      if (message === null) return;
      const { incarnation, epoch, seq, chain, need } = message;
      hold(isSeq(seq) && chain.length === 32 && epoch.length === 36, () => `${epoch}/${seq} ${chainHex(chain)}`);
      hold(incarnation.length <= 64, () => `an incarnation of ${incarnation.length} characters`);
      hold(need.length <= MAX_NEED_RANGES, () => `${need.length} ranges`);
      for (const [from, to] of need)
        hold(isSeq(from) && isSeq(to) && 1 <= from && from <= to, () => `range ${from} to ${to}`);
      const again = decodeStored(bytes(encodeStored(message)));
      hold(JSON.stringify(again) === JSON.stringify(message), () => 'does not come back as it went');
      plan(message);
    },
  };
}

/** Before and after our question is answered. */
function plan(message: { readonly seq: number; readonly need: readonly (readonly [number, number])[] }): void {
  const { seq, need } = message;
  let now = openPlan([{ epoch: EPOCH, firstSeq: 3, lastSeq: LAST_SEQ, storedSeq: 5 }], rules, 0);
  for (const other of [false, true]) {
    now = step(now, { type: 'stored', epoch: EPOCH, seq, need, other }, 1, rules);
    now = step(now, { type: 'synced', epoch: EPOCH }, 2, rules);
    now = step(now, { type: 'stored', epoch: EPOCH, seq, need }, 3, rules);
    for (const { mark, lastSeq, firstSeq, todo } of now.epochs) {
      hold(mark >= 0 && mark <= lastSeq, () => `mark ${mark} of ${lastSeq}`);
      for (const [from, to] of todo)
        hold(from >= firstSeq && from <= to && to <= lastSeq, () => `to send: ${from} to ${to}`);
    }
  }
}
