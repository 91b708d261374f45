/** Events as a house full of cats tells them, the same in every run. */
import { type NewEvent, newEvent } from '../../src/contract/event.ts';

export const COLLARS = 20;

/** The id of the collar number `n`. */
export function collarOf(n: number): string {
  return `C0FFEE${String(n).padStart(2, '0')}`;
}

/** Four of ten begin a meow, four end one, two are moves. */
export function eventAt(n: number, fromMs: number): NewEvent {
  const subject = `collar/${collarOf(n % COLLARS)}`;
  const kind = Math.floor(n / COLLARS) % 5;
  const when = { time: new Date(fromMs + n * 137).toISOString(), clock: 'synced', boot: null, monoMs: null } as const;
  if (kind === 0) return newEvent('cat.moved', subject, { from: 'hall', to: 'kitchen', confidence: 0.9 }, when);
  if (kind % 2 === 1) return newEvent('meow.started', subject, { level: 1.5 + (n % 10) / 10 }, when);
  const data = { durationMs: 200 + (n % 900), peakG: 1.84, readings: n % 100, place: 'kitchen' };
  return newEvent('meow.ended', subject, data, when);
}
