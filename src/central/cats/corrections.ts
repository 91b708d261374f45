/**
 * What a person corrects: takes an event back, gives one to another cat, or undoes either. Decides which events are written; the
 * rules of what they come to are those of `contract/correction.ts`. A shake is corrected as a whole, with its start and its end.
 */
import { correctionOf } from '../../contract/correction.ts';
import { type EventData, type NewEvent, shortType } from '../../contract/event.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import type { CentralEvent, CommandView } from '../store/store.ts';
import { failure } from './failure.ts';

/** What a collar tells: only this can have been another cat. */
const OF_A_CAT: readonly string[] = [
  'cat.moved',
  'meow.started',
  'meow.ended',
  'collar.silent',
  'collar.heard',
  'battery.low',
];

export interface Decision {
  readonly events: readonly NewEvent[];
  /** Ids (`epoch/seq`) of the events that are corrected by them. */
  readonly result: readonly string[];
}

type Write = <T extends 'event.revoked' | 'event.reassigned'>(type: T, body: EventData[T]) => NewEvent;
type View = Pick<CommandView, 'event' | 'otherHalf'>;

/** Takes back an event, or, where it is a correction, undoes it. */
export async function revoke(view: View, place: Place, reason: string, write: Write): Promise<Decision> {
  const target = await knownEvent(view, place);
  const correction = correctionOf(target);
  const base = correction === null ? null : await view.event(correction.epoch, correction.seq);
  if (base !== null && correctionOf(base) !== null) {
    const id = idOf(correctionOf(base) ?? base);
    throw failure('UNDO_IS_FINAL', `this is an undo, which is final: correct ${id} again instead`);
  }
  if (target.revoked) return { events: [], result: [] };
  const other = base === null ? await view.otherHalf(target) : await companion(view, target, base);
  const targets = [target, ...(other === null || other.revoked ? [] : [other])];
  return {
    events: targets.map(({ epoch, seq }) => write('event.revoked', { epoch, seq, reason })),
    result: targets.map(idOf),
  };
}

/** The correction that was written with this one, for the other half of a shake. */
async function companion(view: View, correction: CentralEvent, base: CentralEvent): Promise<CentralEvent | null> {
  const other = await view.otherHalf(base);
  if (other?.correction === null || other?.correction === undefined) return null;
  const [epoch = '', seq = ''] = other.correction.by.split('/');
  const by = await view.event(epoch, Number(seq));
  const together = by?.agent === CENTRAL_AGENT && by.type === correction.type && by.time === correction.time;
  return together ? by : null;
}

/** Gives what a collar told to another cat than the one that wore it then. */
export async function reassign(
  view: View,
  place: Place,
  catId: number,
  reason: string,
  write: Write,
): Promise<Decision> {
  const target = await knownEvent(view, place);
  if (shortType(target.type) === target.type || !OF_A_CAT.includes(shortType(target.type))) {
    throw failure('NOT_OF_A_CAT', `${target.type} is nothing that another cat can have done: take it back instead`);
  }
  if (target.revoked) throw failure('TAKEN_BACK', 'the event is taken back: undo that before you give it to a cat');
  const other = await view.otherHalf(target);
  const halves = [target, ...(other === null || other.revoked ? [] : [other])];
  const targets = halves.filter((event) => event.reassignedTo !== catId);
  return {
    events: targets.map(({ epoch, seq }) => write('event.reassigned', { epoch, seq, catId, reason })),
    result: targets.map(idOf),
  };
}

interface Place {
  readonly epoch: string;
  readonly seq: number;
}

async function knownEvent(view: View, { epoch, seq }: Place): Promise<CentralEvent> {
  const event = await view.event(epoch, seq);
  if (event === null) throw failure('EVENT_NOT_FOUND', 'event not found');
  return event;
}

function idOf({ epoch, seq }: Place): string {
  return `${epoch}/${seq}`;
}
