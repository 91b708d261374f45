/** Requests to an agent over its real log: always an answer, never larger than allowed. The first byte chooses the verb. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventLog } from '../../../src/agent/log/open-event-log.ts';
import { answerRequest } from '../../../src/agent/publisher/answer.ts';
import { newEvent } from '../../../src/contract/event.ts';
import type { HealthMessage } from '../../../src/contract/message.ts';
import { parseObject } from '../../../src/contract/message.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { MESSAGE_WORDS } from './message.ts';

const VERBS = ['health', 'epochs', 'chain', 'events', '__proto__', '\u001b[2J'.repeat(40)];
const MAX_BYTES = 2_048;

export async function open(): Promise<FuzzTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-fuzz-'));
  const when = { time: '2026-11-23T06:00:00.000Z', clock: 'synced', boot: null, monoMs: null } as const;
  const log = await openEventLog(
    { path: join(folder, 'events.db'), agent: 'porch', keepDays: 7, keepBytes: 1e8, budgetBytes: 1e9 },
    { when: () => when },
  );
  await log.append(Array.from({ length: 30 }, (_, i) => newEvent('meow.started', 'collar/A', { level: i }, when)));
  const epoch = log.epochs()[0]?.epoch ?? '';
  const parts = { agent: 'porch', log, health: () => ({ queue: 1 }) as HealthMessage, maxBytes: MAX_BYTES };
  return {
    seeds: [
      '\u0000{"transaction":"7f3"}',
      '\u0001{}',
      '\u0002{"transaction":"7f3","seq":7}',
      `\u0002{"epoch":"${epoch}"}`,
      `\u0003{"transaction":"${'t'.repeat(200)}","epoch":"${epoch}","from":1,"to":9}`,
      '\u0003{"from":25,"to":9007199254740991}',
      '\u0004{}',
      '\u0005{}',
    ].map(bytes),
    words: [...MESSAGE_WORDS, '"transaction":', '"from":', '"to":', epoch],
    maxBytes: 512,
    async run(input) {
      const body = parseObject(input.subarray(1));
      if (body === null) return;
      const verb = VERBS[(input[0] ?? 0) % VERBS.length] ?? '';
      const answer = await answerRequest(parts, verb, body);
      hold(answer.status === 'ok' || answer.status === 'error', () => `status ${String(answer.status)}`);
      const size = Buffer.byteLength(JSON.stringify(answer));
      hold(size <= MAX_BYTES + 512, () => `an answer of ${size} bytes`);
    },
    async close() {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
