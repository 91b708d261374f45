/** `collard detect --from-kept`: kept readings under other settings, and what these would change. Nothing is changed by it. */
import { changesIn } from '../agent/account.ts';
import type { Difference, Verdict } from '../agent/detector/difference.ts';
import { nameDetectors } from '../agent/detector-names.ts';
import { lineOf } from './detect-line.ts';
import { CommandError, EXIT } from './exit.ts';
import { type KeptAccount, keptAccount, loadAgentConfig, openKeptSource } from './kept.ts';
import { drawKept } from './kept-picture.ts';
import { createMeter } from './meter.ts';
import { openOutput } from './out-file.ts';
import { paint, print, printJson, safe, table, tell } from './output.ts';

export interface KeptOptions {
  readonly fromKept: string | true;
  readonly config?: string;
  readonly compare?: true;
  readonly html?: string;
  readonly collar?: string;
  readonly json?: true;
}

export async function detectKept(options: KeptOptions): Promise<void> {
  const { fromKept, config: file, collar } = options;
  if (file === undefined)
    throw new CommandError(EXIT.usage, '--from-kept needs the settings to try', '--config new.yaml');
  const config = loadAgentConfig(file);
  const source = openKeptSource(config, fromKept === true ? undefined : fromKept);
  const meter = createMeter();
  const show = (done: number, of: number) => meter.at(done, of, 'deciding anew');
  const account = await keptAccount(source, collar, undefined, show).finally(meter.clear);
  if (account.readings === 0) tell(`no readings are kept in ${safe(source.folder)} yet`);
  if (account.damaged > 0) tell(`${account.damaged} segments end before their time, as a cut of power leaves them`);
  const changes = changesIn(account);
  const names = nameDetectors(source.settings);
  if (options.html !== undefined) {
    const output = await openOutput(options.html, new AbortController().signal);
    try {
      await output.write(await drawKept(source, account, changes, names));
      await output.finish();
    } finally {
      await output.discard();
    }
  }
  if (options.compare !== true) {
    for (const detection of account.anew) print(lineOf(source.folder, detection));
  } else if (options.json === true) printJson(asJson(account, changes, names));
  else for (const line of comparison(account, changes, names)) print(line);
}

function asJson(account: KeptAccount, changes: Difference, names: object) {
  const { live: _live, anew: _anew, fromMs, toMs, ...rest } = account;
  const when = (ms: number | null) => (ms === null ? null : isoOf(ms));
  const told = (one: Verdict) => {
    const { startMs, ...what } = one;
    const end = one.type === 'meow' ? { endMs: undefined, end: when(one.endMs) } : {};
    return { ...what, start: isoOf(startMs), ...end };
  };
  return {
    kept: { from: when(fromMs), to: when(toMs), ...rest, decidedBy: undefined },
    detectors: { before: rest.decidedBy, after: names },
    same: changes.same,
    added: changes.added.map(told),
    removed: changes.removed.map(told),
    moved: changes.moved.map(({ before, after }) => ({ before: told(before), after: told(after) })),
  };
}

/** For people. */
function comparison(account: KeptAccount, changes: Difference, names: { readonly [kind: string]: string }): string[] {
  const { fromMs, toMs, coveredMs, readings, collars, decidedBy } = account;
  if (fromMs === null || toMs === null) return [];
  const hours = coveredMs / 3_600_000;
  const other = Object.entries(names).filter(([kind, name]) => decidedBy[kind]?.some((then) => then !== name) === true);
  return [
    `${isoOf(fromMs)} to ${isoOf(toMs)}: ${hours.toFixed(1)} h of ${readings} readings of ${collars.length} collars`,
    ...other.map(([kind, name]) => `${kind} was decided by ${decidedBy[kind]?.join(', ')}, now by ${name}`),
    '',
    ...counts(account, changes, hours).split('\n'),
    ...(changes.added.length + changes.removed.length + changes.moved.length === 0
      ? ['', 'nothing would change']
      : ['', ...lines(changes)]),
  ];
}

const KINDS = ['meow', 'cat.moved', 'collar.silent', 'collar.heard', 'battery.low'] as const;

function counts({ live, anew }: KeptAccount, { added, removed, moved }: Difference, hours: number): string {
  const named = (type: Verdict['type']) => (type === 'meow' ? 'meow.started' : type);
  const rows = KINDS.map((type) => {
    const then = live.filter((one) => one.type === named(type)).length;
    const now = anew.filter((one) => one.type === named(type)).length;
    const of = (verdicts: readonly Verdict[]) => String(verdicts.filter((one) => one.type === type).length);
    const perHour = hours > 0 ? (now / hours).toFixed(2) : '-';
    return [type, String(then), String(now), of(added), of(removed), of(moved.map(({ after }) => after)), perHour];
  });
  return table(
    ['event', 'then', 'now', 'added', 'removed', 'moved', 'now per hour'],
    rows.filter(([, then, now]) => then !== '0' || now !== '0'),
  );
}

function lines({ added, removed, moved }: Difference): string[] {
  const all = [
    ...added.map((one) => ({ at: one.startMs, line: `${paint('added  ', 'green')}  ${wordsOf(one)}` })),
    ...removed.map((one) => ({ at: one.startMs, line: `${paint('removed', 'red')}  ${wordsOf(one)}` })),
    ...moved.map(({ before, after }) => ({
      at: after.startMs,
      line: `${paint('moved  ', 'yellow')}  ${wordsOf(after)}, ${shift(before, after)}`,
    })),
  ];
  return all.sort((a, b) => a.at - b.at).map(({ line }) => line);
}

export function wordsOf(one: Verdict): string {
  const head = `${isoOf(one.startMs)}  ${safe(one.collar)}  ${one.type}`;
  if (one.type === 'cat.moved') return `${head}  ${safe(one.from ?? '-')} to ${safe(one.to)}`;
  if (one.type !== 'meow') return head;
  if (one.endMs === null) return `${head}  not ended`;
  return `${head}  ${seconds(one.endMs - one.startMs)}, ${(one.peakG ?? 0).toFixed(1)} g`;
}

/** How it lies to what it was. */
function shift(before: Verdict, after: Verdict): string {
  const told = [`starts ${signed(after.startMs - before.startMs)}`];
  if (before.type === 'meow' && after.type === 'meow') {
    if (before.endMs !== null && after.endMs !== null) told.push(`ends ${signed(after.endMs - before.endMs)}`);
    if (before.place !== after.place) told.push(`in ${safe(after.place ?? '-')}, not ${safe(before.place ?? '-')}`);
  }
  if (before.type === 'cat.moved' && after.type === 'cat.moved' && before.from !== after.from)
    told.push(`from ${safe(after.from ?? '-')}, not ${safe(before.from ?? '-')}`);
  return told.join(', ');
}

function signed(ms: number): string {
  return `${ms < 0 ? '-' : '+'}${seconds(Math.abs(ms))}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function isoOf(ms: number): string {
  return new Date(Math.round(ms)).toISOString();
}
