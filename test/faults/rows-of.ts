/** A scenario of `npm run faults`, some of it. */
import { expect } from 'vitest';
import { type Scenario, whyBad } from './frame.ts';
import { runScenario } from './run-faults.ts';

/** What it found; throws where a row is bad. */
export async function rowsOf(scenario: Scenario, seconds: number, count: number) {
  const outcome = await runScenario(scenario, { seed: 1, count, tell: () => undefined }, seconds * 1_000);
  expect(outcome.failed).toBeNull();
  expect(outcome.rows.flatMap((row) => whyBad(row) ?? [])).toEqual([]);
  return outcome.rows;
}
