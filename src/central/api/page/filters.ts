/** What of the timeline is shown: by cat, type, agent and day. It stands in the address. */
import { nowMs } from './ago.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { fromHash, toHash } from './home-hash.ts';
import type { Agent, Cat, CloudEvent } from './types.ts';

const NAMES = ['cat', 'type', 'agent', 'day'] as const;
type Name = (typeof NAMES)[number];

/** The empty text: all. */
export type Filter = Readonly<Record<Name, string>>;

export interface Filters {
  readonly now: Filter;
  /** The choices that there are; what was asked for by a link stays one. */
  offer(cats: readonly Cat[], agents: readonly Agent[]): void;
  only(change: Partial<Filter>): void;
  /** As the address says; true where that is something else than before. */
  read(): boolean;
}

/** What every receiver hears of every cat all the time; nobody could see the rest between them. Those that decided a place are asked for. */
const SIGHTED = 'collar.sighted';
/** Everything else. */
const TOLD =
  'cat.named,collar.assigned,cat.moved,meow.started,meow.ended,collar.silent,collar.heard,battery.low,sensor.failed,sensor.recovered,' +
  'clock.synced,history.lost,history.conflict,alert.raised,alert.cleared,event.revoked,event.reassigned';

const NONE: Filter = { cat: '', type: '', agent: '', day: '' };

/** `changed`: somebody wants to see something else. */
export function createFilters(changed: () => void): Filters {
  let now = NONE;
  const fields = {
    cat: byId('filter-cat', HTMLSelectElement),
    type: byId('filter', HTMLSelectElement),
    agent: byId('filter-agent', HTMLSelectElement),
    day: byId('filter-day', HTMLInputElement),
  };
  const clear = byId('filter-clear', HTMLButtonElement);
  const show = () => {
    for (const name of NAMES) fields[name].value = now[name];
    clear.hidden = NAMES.every((name) => now[name] === '');
  };
  const set = (next: Filter) => {
    now = next;
    show();
    toHash(now);
    changed();
  };
  for (const name of NAMES) {
    fields[name].addEventListener('change', () => set({ ...now, [name]: fields[name].value }));
  }
  clear.addEventListener('click', () => {
    set(NONE);
    fields.cat.focus();
  });
  const read = () => {
    const asked = filterOfHash();
    for (const name of ['cat', 'type', 'agent'] as const) addOption(fields[name], asked[name]);
    const isNew = NAMES.some((name) => now[name] !== asked[name]);
    now = asked;
    show();
    return isNew;
  };
  read();
  return {
    get now() {
      return now;
    },
    read,
    only: (change) => set({ ...now, ...change }),
    offer(cats, agents) {
      fields.day.max = localDay(new Date(nowMs()));
      offer(fields.cat, 'all cats', [...cats.map(({ id, name }): Option => [String(id), name])], now.cat);
      offer(fields.agent, 'all agents', [...agents.map(({ agent }): Option => [agent, agent])], now.agent);
      show();
    },
  };
}

type Option = readonly [value: string, text: string];

function offer(select: HTMLSelectElement, all: string, options: readonly Option[], asked: string): void {
  const isMissing = asked !== '' && options.every(([value]) => value !== asked);
  const choices: readonly Option[] = [['', all], ...options, ...(isMissing ? [[asked, asked] as const] : [])];
  keyed(
    select,
    choices,
    ([value]) => `v${value}`,
    ([value]) => el('option', { value }),
    (node, [, text]) => setText(node, text),
  );
}

/** A link may name what is not offered yet. */
function addOption(select: HTMLSelectElement, value: string): void {
  if (value === '' || [...select.options].some((option) => option.value === value)) return;
  const option = el('option', { value }, value);
  option.dataset.key = `v${value}`;
  select.append(option);
}

function filterOfHash(): Filter {
  return {
    cat: fromHash('cat', /^[1-9]\d{0,14}$/),
    type: fromHash('type', /^[a-z.,]{1,400}$/),
    agent: fromHash('agent', /^.{1,64}$/u),
    day: fromHash('day', /^\d{4}-\d\d-\d\d$/),
  };
}

/** What central is asked for. `until`: nothing after this moment. */
export function queryOf(filter: Filter, until: string | null): Readonly<Record<string, string>> {
  const span = daySpan(filter.day);
  const ends = [span?.to, until].filter((text) => typeof text === 'string').sort();
  return {
    cat: filter.cat,
    type: filter.type === '' ? TOLD : filter.type,
    fused: /^$|cat\.moved|collar\.sighted/.test(filter.type) ? 'true' : '',
    agent: filter.agent,
    from: span?.from ?? '',
    to: ends[0] ?? '',
  };
}

/** Whether an event that comes live is among what is shown. `catId`: whose it is. */
export function matches(event: CloudEvent, catId: number | null, filter: Filter): boolean {
  const span = daySpan(filter.day);
  const agent = event.source.split('/').at(-1);
  return (
    isOfType(event, filter.type) &&
    (filter.cat === '' || Number(filter.cat) === catId) &&
    (filter.agent === '' || filter.agent === agent) &&
    (span === null || (event.time >= span.from && event.time < span.to))
  );
}

function isOfType(event: CloudEvent, types: string): boolean {
  const type = event.type.replace(/^collard\./, '');
  return types === '' ? type !== SIGHTED : types.split(',').includes(type);
}

/** A day of whoever looks, as moments; null: every day. */
function daySpan(day: string): { readonly from: string; readonly to: string } | null {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
  const [from, to] = [new Date(year, month - 1, date), new Date(year, month - 1, date + 1)];
  if (day === '' || Number.isNaN(from.getTime())) return null;
  return { from: from.toISOString(), to: to.toISOString() };
}

export function localDay(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
