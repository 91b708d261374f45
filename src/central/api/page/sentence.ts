/** An event as a sentence. Pure: names and text in, parts out; the page makes text nodes of them. */
import type { Cat, CloudEvent } from './types.ts';

export type Tone = 'shake' | 'move' | 'name' | 'warn' | 'good' | 'quiet';

export interface Sentence {
  readonly who: string | null;
  /** What follows the subject. */
  readonly text: string;
  readonly tone: Tone;
  /** The cat it is about, for its colour. */
  readonly catId: number | null;
}

/** `target`: what a correction corrects, where that is known. */
export function sentenceOf(event: CloudEvent, cats: readonly Cat[], target?: CloudEvent): Sentence {
  const { data } = event;
  const cat = catOf(event, cats);
  const collar = event.subject?.startsWith('collar/') === true ? event.subject.slice(7) : null;
  const who = cat?.name ?? (collar === null ? null : `Collar ${collar}`);
  const catId = cat?.id ?? null;
  const say = (tone: Tone, text: string, subject: string | null = who): Sentence => ({
    who: subject,
    text,
    tone,
    catId,
  });
  const agent = event.source.split('/').at(-1) ?? event.source;
  switch (event.type.replace(/^collard\./, '')) {
    case 'meow.started':
      return say('shake', 'is shaking');
    case 'meow.ended':
      return say('quiet', `shook for ${seconds(data.durationMs)}${text(data.place, ' in the ')}`);
    case 'cat.moved':
      // A person has put it there: no receiver saw it.
      if (agent === 'central') return say('move', `is in ${text(data.to)}, corrected by hand`);
      return say(
        'move',
        text(data.from) === '' ? `is in ${text(data.to)}` : `moved ${text(data.from)} → ${text(data.to)}`,
      );
    case 'collar.sighted':
      if (event.fusedto !== undefined) return say('move', fusedText(event));
      return say(
        'quiet',
        data.motion === true
          ? `was seen in ${text(data.place)}`
          : `is heard in ${text(data.place)}${text(data.rssi, ', ')}${data.rssi === undefined ? '' : '\u00a0dBm'}`,
      );
    case 'cat.named':
      return text(data.oldName) === ''
        ? say('name', 'joined', text(data.newName))
        : say('name', `is now called ${text(data.newName)}`, text(data.oldName));
    case 'collar.assigned':
      return say('name', `wears collar ${text(data.collar)}`);
    case 'collar.silent':
      return say('warn', 'is silent');
    case 'collar.heard':
      return say('good', 'is heard again');
    case 'battery.low':
      return say('warn', `has a low battery: ${text(data.percent)}\u00a0%`);
    case 'sensor.failed':
      return say('warn', `lost its source ${text(data.source)}: ${text(data.reason)}`, agent);
    case 'sensor.recovered':
      return say('good', `has its source ${text(data.source)} back`, agent);
    case 'clock.synced':
      return say('quiet', 'knows the time now', agent);
    case 'history.lost':
      return say('warn', `lost ${text(data.count)} events: ${text(data.reason)}`, agent);
    case 'history.conflict':
      return say('warn', `has another history than central from ${text(data.seq)} down: ${text(data.reason)}`, agent);
    case 'alert.raised':
      return say('warn', `has an alert: ${text(data.text)}`);
    case 'alert.cleared':
      return say('good', `has no longer: ${text(data.text)}`);
    case 'event.revoked':
      return say('quiet', `${takenBack(cats, target)}: ${text(data.reason)}`, null);
    case 'event.reassigned':
      return say('quiet', `${told(cats, target)} was ${who ?? 'another cat'}: ${text(data.reason)}`, null);
    default:
      return say('quiet', `said ${event.type}`, who ?? agent);
  }
}

/** What no agent could tell alone: where the cat is, how sure that is, and by whom. */
function fusedText({ fusedfrom, fusedto, fusedpercent, fusedagents = '', data }: CloudEvent): string {
  const place = fusedfrom === undefined ? `is in ${fusedto}` : `moved ${fusedfrom} → ${fusedto}`;
  const agents = fusedagents
    .split(',')
    .join(', ')
    .replace(/, ([^,]*)$/, ' and $1');
  const by = agents === '' ? '' : `, ${data.motion === true ? 'seen' : 'heard'} by ${agents}`;
  return `${place}${fusedpercent === undefined ? '' : `, ${fusedpercent}\u00a0% sure`}${by}`;
}

/** What corrects an event, and whose it was taken for; null where nothing does. */
export function correctionOf(event: CloudEvent, cats: readonly Cat[]): string | null {
  if (event.correctedby === undefined) return null;
  const why = event.correction ?? '';
  if (isCorrection(event)) return `undone: ${why}`;
  if (event.revoked === true) return `taken back: ${why}`;
  const { reassignedto, ...before } = event;
  const taken = sentenceOf(before, cats).who;
  return reassignedto === undefined ? null : `corrected${taken === null ? '' : `, not ${taken}`}: ${why}`;
}

function isCorrection(event: CloudEvent | undefined): boolean {
  return event !== undefined && /^collard\.event\.(revoked|reassigned)$/.test(event.type);
}

function takenBack(cats: readonly Cat[], target: CloudEvent | undefined): string {
  if (isCorrection(target)) return 'A correction was undone';
  return target === undefined ? 'An event was taken back' : `${told(cats, target)} was taken back`;
}

/** A sentence in quotation marks. */
function told(cats: readonly Cat[], target: CloudEvent | undefined): string {
  if (target === undefined) return 'What a collar told';
  const { reassignedto: _, ...before } = target;
  const { who, text: words } = sentenceOf(before, cats);
  return `“${who === null ? words : `${who} ${words}`}”`;
}

/** By a correction, by the number in the event, or by the collar that the cat wears now. */
function catOf(event: CloudEvent, cats: readonly Cat[]): Cat | undefined {
  const [kind, id] = event.subject?.split('/') ?? [];
  const number = Number(event.reassignedto ?? event.fusedcat ?? event.data.catId ?? (kind === 'cat' ? id : Number.NaN));
  if (event.reassignedto !== undefined) return cats.find((cat) => cat.id === number);
  return cats.find((cat) => cat.id === number || (kind === 'collar' && cat.collar === id));
}

function text(value: unknown, before = ''): string {
  return typeof value === 'string' || typeof value === 'number' ? before + value : '';
}

function seconds(value: unknown): string {
  return typeof value === 'number' ? `${(value / 1_000).toFixed(1)} s` : 'a while';
}
