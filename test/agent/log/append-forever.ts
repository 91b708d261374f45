/** Appends to a log until it is killed, and prints each seq once its append has resolved. For `kill.test.ts`. `thread`: in one of its own. */
import { writeSync } from 'node:fs';
import { openEventLog } from '../../../src/agent/log/open-event-log.ts';
import { openLogWorker } from '../../../src/agent/log/open-log-worker.ts';
import { newEvent } from '../../../src/contract/event.ts';

const when = () => ({ time: new Date().toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;
const path = process.argv[2] ?? '';
const open = process.argv[3] === 'thread' ? openLogWorker : openEventLog;
const log = await open({ path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 }, { when });
for (let i = 1; ; i += 1) {
  const group = Array.from({ length: (i % 5) + 1 }, () => newEvent('meow.started', 'collar/A', { level: i }, when()));
  const { lastSeq } = await log.append(group);
  writeSync(1, `${lastSeq}\n`);
}
