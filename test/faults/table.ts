/** Outcomes as a Markdown table, and below it what went wrong. */
import { type Row, whyBad } from './frame.ts';
import type { Outcome } from './run-faults.ts';

const HEAD = [
  'fault',
  'injected',
  'acknowledged',
  'lost',
  'doubled',
  'recovery ms (median, max)',
  'bound at 95 %',
  'verdict',
];

export function asTable(outcomes: readonly Outcome[]): string {
  const lines = [HEAD, HEAD.map(() => '---')];
  const below: string[] = [];
  for (const { scenario, skipped, failed, rows, seconds, seed } of outcomes) {
    if (skipped !== null) lines.push([scenario, '-', '-', '-', '-', '-', '-', `not run: ${skipped}`]);
    if (failed !== null) below.push(`${scenario} broke: ${failed}`);
    for (const row of rows) {
      lines.push(cells(row));
      below.push(...row.notes.map((note) => `${row.fault}: ${note}`));
      if (whyBad(row) === null) continue;
      below.push(`${row.fault}: ${whyBad(row)}`, ...row.breaches.map((breach) => `  ${breach}`));
    }
    below.push(`${scenario}: ${seconds} s, scenario seed ${seed}`);
  }
  return `${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n\n${below.join('\n')}\n`;
}

function cells(row: Row): string[] {
  const { injected, losing, acked, lost, doubled, recoveryMs, bound } = row;
  const share = bound === null ? `${losing} of ${injected} runs break` : `≤ ${bound.toPrecision(2)} of runs`;
  const verdict = whyBad(row) === null ? (row.control ? 'fails, as it must' : 'holds') : 'BROKEN';
  const times = `${recoveryMs.median.toFixed(1)}, ${recoveryMs.max.toFixed(1)}`;
  const name = row.control ? `control: ${row.fault}` : row.fault;
  return [name, String(injected), String(acked), String(lost), String(doubled), times, share, verdict];
}
