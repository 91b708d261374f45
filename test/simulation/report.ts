/** What a run of the simulation found, for people. */
import type { SeedsOutcome } from './seeds.ts';
import type { Control } from './simulate.ts';
import { LATE_MS } from './tally.ts';

export type ControlOutcome = SeedsOutcome & { readonly control: Control };

/** Why the run is no proof: a promise was broken, or a control was not found out. */
export function whyBad(real: SeedsOutcome, controls: readonly ControlOutcome[]): readonly string[] {
  const { failed, seeds, breaches } = real.tally;
  return [
    ...(failed === 0 ? [] : [`${failed} of ${seeds} seeds broke a promise`, ...breaches]),
    ...(seeds === 0 ? ['no seed was run'] : []),
    ...controls.flatMap(({ control, tally }) =>
      tally.failed > 0 ? [] : [`the control "${control}" broke nothing in ${tally.seeds} seeds: the oracle is blind`],
    ),
  ];
}

export function asText(real: SeedsOutcome, controls: readonly ControlOutcome[]): string {
  const { tally, seconds, cpuSeconds } = real;
  const { seeds, events, told, conflicts, simulatedMs, failed, slowestHealMs, slowestSeed, late, faults, digest } =
    tally;
  const days = simulatedMs / 86_400_000;
  const lines = [
    `${seeds} seeds, ${failed} failed: ${events} events, ${told} given up and told, ${conflicts} kept apart`,
    `${days.toFixed(1)} simulated days in ${seconds.toFixed(0)} s: ${ratio(simulatedMs, seconds)} × real time, ` +
      `${ratio(simulatedMs, cpuSeconds)} × for one processor, ${(seeds / seconds).toFixed(1)} seeds/s`,
    `all was well ${(slowestHealMs / 1_000).toFixed(1)} s after the last fault at the latest (seed ${slowestSeed}), ` +
      `in ${late} seeds later than ${LATE_MS / 1_000} s`,
    `digest ${digest}`,
    '',
    ...Object.entries(faults)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([fault, times]) => `${String(times).padStart(10)}  ${fault}`),
    '',
    ...controls.map((one) => {
      const { failed: found, lost, seeds: of } = one.tally;
      return `control "${one.control}": found out in ${found} of ${of} seeds, ${lost} of them lost events in the end`;
    }),
    ...whyBad(real, controls),
  ];
  return `${lines.join('\n')}\n`;
}

function ratio(simulatedMs: number, seconds: number): string {
  return (simulatedMs / 1_000 / seconds).toFixed(0);
}
