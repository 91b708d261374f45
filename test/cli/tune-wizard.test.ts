import { expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { askedOf } from '../../src/cli/tune-screen.ts';
import { createWizard, MOST_READINGS, REST_MS } from '../../src/cli/tune-wizard.ts';
import { COLLAR, QUICK, SLOW, shakenAcceleration, shakenReadings, shakesIn } from './shaken.ts';

const settings = agentSchema.shape.detect.parse({});
const level = (passedMs: number | undefined) => ({ shake: passedMs === undefined ? 0.03 : 0.8 });

test('it lets the collar lie, counts ten, and is done when it is quiet', () => {
  const wizard = createWizard(settings);
  const twelve = { ...QUICK, times: 12 };
  const phases = new Set<string>();
  for (const reading of shakenAcceleration(twelve)) {
    wizard.take(reading);
    phases.add(wizard.phase);
  }
  expect([...phases]).toEqual(['rest', 'shake', 'done']);
  expect([wizard.seen, wizard.found]).toEqual([10, 10]);
  const { readings, restUntilMs, bouts } = wizard.recorded();
  expect(restUntilMs).toBe(REST_MS);
  expect(bouts).toHaveLength(10);
  expect(readings.at(-1)?.atMs).toBeLessThan(shakesIn(twelve)[10]?.fromMs ?? 0);
});

test('a collar that sends each two seconds is asked for longer shakes and pauses, and its pieces are not counted', () => {
  const wizard = createWizard(settings);
  const asked = new Set<string>();
  for (const reading of shakenReadings(SLOW, 2_000, level)) {
    wizard.take(reading);
    if (wizard.phase === 'shake') asked.add(`${wizard.asked.shakeMs} ${wizard.asked.pauseMs}`);
  }
  expect([...asked]).toEqual(['4000 8000']);
  expect([wizard.phase, wizard.seen, wizard.found]).toEqual(['done', 10, 20]);
});

test('who holds the collar is told what to do, from before its first reading to the end', () => {
  const wizard = createWizard(settings);
  const told = new Set([askedOf(wizard).join(' ')]);
  for (const reading of shakenReadings(SLOW, 2_000, level)) {
    wizard.take(reading);
    told.add(askedOf(wizard).join(' '));
  }
  const all = [...told];
  expect(all.slice(0, 3)).toEqual([5, 3, 1].map((s) => `Let the collar lie still: ${s} s`));
  expect(all[3]).toBe(
    'Shake the collar now, 10 times, 4 s each, with 8 s of rest between. 0 seen, 0 meows. Enter: done',
  );
  expect(all.at(-2)).toContain(' 10 seen, 20 meows.');
  expect(all.at(-1)).toBe('Looking what fits …');
});

test('a switch that says nothing while it lies is waited for by the clock of who looks on, at both ends', () => {
  const wizard = createWizard(settings);
  wizard.pass(70_000);
  wizard.pass(70_000 + REST_MS - 1);
  expect(wizard.phase).toBe('rest');
  wizard.pass(70_000 + REST_MS);
  expect(wizard.phase).toBe('shake');
  for (const { fromMs } of shakesIn(QUICK))
    for (const ms of [0, 180, 420, 640, 900]) wizard.take({ collar: COLLAR, atMs: fromMs + ms, edges: 1 });
  expect(wizard.phase).toBe('shake');
  wizard.pass(120_000);
  wizard.pass(121_000);
  expect(wizard.phase).toBe('shake');
  wizard.pass(121_500);
  expect(wizard.phase).toBe('done');
  expect(wizard.recorded().bouts).toHaveLength(10);
});

test('a collar that is out of reach after its first reading does not rest for ever', () => {
  const wizard = createWizard(settings);
  wizard.take({ collar: COLLAR, atMs: 1_000, shake: 0 });
  wizard.pass(0);
  wizard.pass(14_999);
  expect(wizard.phase).toBe('rest');
  wizard.pass(15_000);
  expect(wizard.phase).toBe('shake');
  expect(wizard.recorded().restUntilMs).toBe(1_001);
});

test('it is over after three minutes, with a slow collar later, and never before somebody says so', () => {
  const lasting = (everyMs: number) => {
    const wizard = createWizard(settings);
    let atMs = 0;
    for (; wizard.phase !== 'done'; atMs += everyMs) wizard.take({ collar: COLLAR, atMs, shake: 0 });
    return atMs - 2 * everyMs;
  };
  expect(lasting(1_000)).toBe(180_000);
  expect(lasting(5_000)).toBe(600_000);
  expect(lasting(60_000)).toBe(1_200_000);
  const wizard = createWizard(settings);
  wizard.take({ collar: COLLAR, atMs: 0, shake: 0 });
  wizard.finish();
  wizard.take({ collar: COLLAR, atMs: 20, shake: 0 });
  expect(wizard.recorded().readings).toHaveLength(1);
});

test('it remembers no more than its limit', () => {
  const wizard = createWizard(settings);
  for (let i = 0; i < MOST_READINGS + 100; i += 1) wizard.take({ collar: COLLAR, atMs: i / 2, shake: 0 });
  expect(wizard.recorded().readings).toHaveLength(MOST_READINGS);
  expect(wizard.phase).toBe('done');
});
