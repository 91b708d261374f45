/** A comparison of the live models with rebuilt ones, for people. */
import type { Comparison, Difference } from '../central/store/replay-store.ts';
import { paint, safe } from './output.ts';

export function comparisonSentences({ equal, live, rebuilt, inFlight, difference }: Comparison): string[] {
  const aside = inFlight === 0 ? [] : [`${inFlight} cats have news on the way: compared up to there`];
  if (equal) return [`${paint('equal', 'green')} ${rebuilt}`, ...aside];
  const digests = [`${paint('differ', 'red')} live ${live}`, `       rebuilt ${rebuilt}`];
  return [...digests, ...(difference === null ? [] : [differenceSentence(difference)]), ...aside];
}

function differenceSentence({ model, catId, timestamp, event, live, rebuilt }: Difference): string {
  const where = timestamp === null ? '' : ` at ${safe(timestamp)} (event ${safe(event ?? '')})`;
  const place = `first in ${model}, cat ${catId}${where}`;
  if (live === null) return `${place}: only rebuilt, ${valuesOf(rebuilt)}`;
  if (rebuilt === null) return `${place}: only live, ${valuesOf(live)}`;
  return `${place}: live ${valuesOf(live)}, rebuilt ${valuesOf(rebuilt)}`;
}

function valuesOf(row: Readonly<Record<string, unknown>> | null): string {
  return Object.entries(row ?? {})
    .map(([column, value]) => safe(`${column} ${JSON.stringify(value)}`))
    .join(', ');
}
