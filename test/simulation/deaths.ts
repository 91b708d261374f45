/** One seed without its faults, once for each step of a first life: there it ends, and is started again. */
import { DIED_THERE } from './machine.ts';
import { type Death, simulate } from './simulate.ts';

export interface Deaths {
  readonly of: Death['of'];
  /** Steps at which it died. */
  readonly died: number;
  readonly events: number;
  /** What broke, with the step. */
  readonly breaches: readonly string[];
}

/** Every `stride`-th step from the first on, until its life is over before. `of` is the same program in each. */
export async function dieEverywhere(
  seed: number,
  of: Death['of'],
  options: { readonly folder: string; readonly template: string; readonly stride?: number },
): Promise<Deaths> {
  const { folder, template, stride = 1 } = options;
  const breaches: string[] = [];
  let [died, events] = [0, 0];
  for (let step = 1; ; step += stride) {
    const outcome = await simulate(seed, { folder, template, death: { of, step } });
    for (const breach of outcome.breaches) breaches.push(`seed ${seed}, ${of} at step ${step}: ${breach}`);
    events += outcome.events;
    if (!outcome.faults.has(DIED_THERE)) return { of, died, events, breaches };
    died += 1;
  }
}
