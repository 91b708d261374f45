/** A page of one file: the level of each collar over all that is kept, what was decided then and now, and each change from near. */
import { type Difference, type Verdict, verdictsOf } from '../agent/detector/difference.ts';
import { shakeBorders, viewShake } from '../agent/detector/shake-view.ts';
import type { DetectorNames } from '../agent/detector-names.ts';
import type { Seen } from '../agent/rederive.ts';
import { type KeptAccount, type KeptSource, keptAccount } from './kept.ts';
import { escaped, overviewOf, PAGE_STYLE, type Panel, panelOf } from './kept-svg.ts';

/** Changes that are drawn from near; the others are in the list. */
const MAX_PANELS = 60;
/** Collars that have an overview. */
const MAX_OVERVIEWS = 32;
/** So much before and after a change is drawn. */
const AROUND_MS = 3_000;
const BUCKETS = 1_000;
/** Of one panel: a minute at 50 Hz. */
const MAX_POINTS = 3_000;

type Meow = Verdict & { readonly type: 'meow' };

/** Goes over what is kept once more, for the levels. */
export async function drawKept(
  source: KeptSource,
  account: KeptAccount,
  changes: Difference,
  names: DetectorNames,
): Promise<string> {
  const { fromMs, toMs, collars, live, anew } = account;
  const panels = panelsOf(changes);
  const shown = collars.slice(0, MAX_OVERVIEWS);
  const levels = new Map(shown.map((collar) => [collar, new Float64Array(BUCKETS)]));
  if (fromMs !== null && toMs !== null && toMs > fromMs)
    await keptAccount(source, undefined, gather(levels, panels, fromMs, toMs));
  const [then, now] = [verdictsOf(live), verdictsOf(anew)];
  const meowsOf = (verdicts: readonly Verdict[], collar: string) =>
    verdicts.filter((one): one is Meow => one.type === 'meow' && one.collar === collar);
  const range = { fromMs: fromMs ?? 0, toMs: toMs ?? 1 };
  return page([
    `<h1>What would change</h1>`,
    summary(account, changes, names),
    ...shown.map((collar) =>
      overviewOf(collar, levels.get(collar) ?? new Float64Array(), range, {
        before: meowsOf(then, collar),
        after: meowsOf(now, collar),
      }),
    ),
    collars.length > shown.length ? `<p>${collars.length - shown.length} more collars are not drawn.</p>` : '',
    `<h2>From near</h2>${legend()}<div class="panels">`,
    ...panels.map((panel) =>
      panelOf(panel, shakeBorders(source.settings.shake, panel.collar), {
        before: meowsOf(then, panel.collar),
        after: meowsOf(now, panel.collar),
      }),
    ),
    '</div>',
    list(changes, panels.length),
  ]);
}

/** Of meows, by time: each change with a second or three before and after. */
function panelsOf({ added, removed, moved }: Difference): Panel[] {
  const all = [
    ...added.map((one) => ({ what: 'added' as const, ones: [one] })),
    ...removed.map((one) => ({ what: 'removed' as const, ones: [one] })),
    ...moved.map(({ before, after }) => ({ what: 'moved' as const, ones: [before, after] })),
  ];
  return all
    .filter(({ ones }) => ones.every(({ type }) => type === 'meow'))
    .map(({ what, ones }) => ({
      what,
      collar: ones[0]?.collar ?? '',
      fromMs: Math.min(...ones.map(({ startMs }) => startMs)) - AROUND_MS,
      toMs: Math.max(...ones.map(endOf)) + AROUND_MS,
      points: [],
    }))
    .sort((a, b) => a.fromMs - b.fromMs)
    .slice(0, MAX_PANELS);
}

function endOf(one: Verdict): number {
  return one.type === 'meow' ? (one.endMs ?? one.startMs) : one.startMs;
}

/** Fills the overviews and the panels as the readings go by. */
function gather(
  levels: ReadonlyMap<string, Float64Array>,
  panels: readonly Panel[],
  fromMs: number,
  toMs: number,
): Seen {
  let first = 0;
  return ({ input }, state, offsetMs) => {
    if (input.type !== 'reading') return;
    const { reading } = input;
    const { collar, axG, shake } = reading;
    const watched = state.collars.get(collar);
    if (watched === undefined || (axG === undefined && shake === undefined)) return;
    const atMs = reading.atMs + offsetMs;
    const { level, odds } = viewShake(watched.shake, reading);
    const overview = levels.get(collar);
    const bucket = Math.min(BUCKETS - 1, Math.floor((BUCKETS * (atMs - fromMs)) / (toMs - fromMs)));
    if (overview !== undefined && level > (overview[bucket] ?? Number.POSITIVE_INFINITY)) overview[bucket] = level;
    // Readings of several collars are not quite in order: a panel is over a minute after its end.
    while ((panels[first]?.toMs ?? Number.POSITIVE_INFINITY) < atMs - 60_000) first += 1;
    for (let i = first; i < panels.length && (panels[i]?.fromMs ?? 0) <= atMs; i += 1) {
      const panel = panels[i];
      if (panel?.collar === collar && atMs <= panel.toMs && panel.points.length < MAX_POINTS)
        panel.points.push({ atMs, level, odds });
    }
  };
}

function summary(
  { fromMs, toMs, coveredMs, decidedBy }: KeptAccount,
  changes: Difference,
  names: DetectorNames,
): string {
  const range = fromMs === null || toMs === null ? 'nothing is kept' : `${isoOf(fromMs)} to ${isoOf(toMs)}`;
  const { added, removed, moved, same } = changes;
  const then = (decidedBy.shake ?? []).join(', ');
  return `<p>${range}, ${(coveredMs / 3_600_000).toFixed(1)} h. Shakes were decided by ${escaped(then)}, now by ${escaped(names.shake)}.</p>
<p><b>${same}</b> events stay, <b class="added">${added.length} added</b>, <b class="removed">${removed.length} removed</b>,
<b class="moved">${moved.length} moved</b>.</p>`;
}

function legend(): string {
  return `<p class="legend">Line: level in g; dashed: a shake goes on above it. Below: how sure the detector is now (log-odds);
dashed: a shake begins above it. Bars: grey as it was decided then, blue as it would be now.</p>`;
}

function list({ added, removed, moved }: Difference, drawn: number): string {
  const rows = [
    ...added.map((one) => ({ what: 'added', one })),
    ...removed.map((one) => ({ what: 'removed', one })),
    ...moved.map(({ after }) => ({ what: 'moved', one: after })),
  ].sort((a, b) => a.one.startMs - b.one.startMs);
  if (rows.length === 0) return '<p>Nothing would change.</p>';
  const cells = rows.map(({ what, one }) => {
    const length =
      one.type === 'meow' && one.endMs !== null ? `${((one.endMs - one.startMs) / 1_000).toFixed(2)} s` : '';
    const way = one.type === 'cat.moved' ? `${one.from ?? '-'} → ${one.to}` : length;
    const words = [isoOf(one.startMs), one.collar, one.type, way].map((text) => `<td>${escaped(text)}</td>`).join('');
    return `<tr><td class="${what}">${what}</td>${words}</tr>`;
  });
  return `<h2>All ${rows.length} changes</h2><p>${drawn} of them are drawn above.</p><table>${cells.join('\n')}</table>`;
}

function page(parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>collard: what would change</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${PAGE_STYLE}</style></head>
<body>${parts.join('\n')}</body></html>
`;
}

function isoOf(ms: number): string {
  return new Date(Math.round(ms)).toISOString();
}
