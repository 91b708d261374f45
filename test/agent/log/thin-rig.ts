/** Events of each worth, and an open file to trim. */
import { addEpoch, type LogCore, loadCore, write } from '../../../src/agent/log/core.ts';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { event } from './log-fixture.ts';

const pad = 'x'.repeat(600);
export const KINDS = {
  sensor: (i: number) => event('sensor.failed', { source: 's', reason: `${i} ${pad}` }, i),
  battery: (i: number) => event('battery.low', { percent: i }, i),
  started: (i: number) => event('meow.started', { level: i }, i),
  ended: (i: number) => event('meow.ended', { durationMs: i, peakG: 1, readings: 9, place: pad }, i),
  moved: (i: number) => event('cat.moved', { from: null, to: `${i} ${pad}` }, i),
  revoked: (i: number) => event('event.revoked', { epoch: '', seq: i, reason: pad }, i),
};
export type Kind = keyof typeof KINDS;
export const kinds = Object.keys(KINDS) as Kind[];

export const mix = (group: readonly Kind[], from: number): NewEvent[] => group.map((kind, i) => KINDS[kind](from + i));

export function newCore(path: string, epoch: string): LogCore {
  prepareFile(path);
  const core = loadCore(openLogFile(path), path, 'porch');
  if (core.epochs.length === 0) write(core, () => addEpoch(core, epoch, 0, 'test'));
  return core;
}
