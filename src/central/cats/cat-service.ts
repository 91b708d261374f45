/**
 * CatService: what people may tell central about their cats. Each command decides inside one transaction and appends events
 * to central's own log; nothing is edited. Errors carry a `code`: CAT_EXISTS, CAT_NOT_FOUND, EVENT_NOT_FOUND, and the
 * INVALID_… of text that cannot be a name, place, collar or reason.
 */
import { type EventData, type EventType, type NewEvent, newEvent } from '../../contract/event.ts';
import type { CatRow, CommandStore, CommandView } from '../store/store.ts';
import { reassign, revoke } from './corrections.ts';
import { failure } from './failure.ts';

/** The longest name, place and collar id, in characters. */
export const MAX_NAME_LENGTH = 64;
/** The longest reason of a revocation, in characters. */
export const MAX_REASON_LENGTH = 200;

export interface CatService {
  /** The same, with commands by somebody: their events say so. */
  as(by: string | null): CatService;
  /** Resolves when the cat is in central's log. CAT_EXISTS when the name is taken, whatever its case. */
  addCat(name: string, collar?: string): Promise<CatRow>;
  /** CAT_NOT_FOUND; CAT_EXISTS when another cat has the name. */
  renameCat(cat: number, name: string): Promise<CatRow>;
  /** From now on this cat wears the collar, whoever wore it before. */
  assignCollar(cat: number, collar: string): Promise<CatRow>;
  /** Both at once: one transaction, so that one refused part leaves the other undone. */
  changeCat(cat: number, change: { readonly name?: string; readonly collar?: string }): Promise<CatRow>;
  /** A person corrects where the cat is. An unchanged place writes no event. */
  updateCatLocation(cat: number, place: string): Promise<CatRow>;
  /**
   * Takes an event back by another event, a shake with both of its ends; what is itself a correction is undone by it. Resolves to
   * the ids (`epoch/seq`) of what was taken back: none where it was before. EVENT_NOT_FOUND; UNDO_IS_FINAL.
   */
  revoke(epoch: string, seq: number, reason: string): Promise<readonly string[]>;
  /**
   * What a collar told was about this cat, a shake with both of its ends. Resolves to the ids of what was given to it: none where
   * it was before. EVENT_NOT_FOUND; CAT_NOT_FOUND; NOT_OF_A_CAT; TAKEN_BACK.
   */
  reassign(epoch: string, seq: number, cat: number, reason: string): Promise<readonly string[]>;
}

/** `by`: who gives the commands, for their events; null where nobody had to say. */
export function openCatService(store: CommandStore, clock: () => Date, by: string | null = null): CatService {
  const command = commandsOf(store, clock, by);
  const changeCat: CatService['changeCat'] = (id, change) => {
    const name = change.name === undefined ? undefined : cleanText('name', change.name);
    const collar = change.collar === undefined ? undefined : cleanText('collar', change.collar);
    return command(async (view, event) => {
      const before = await knownCat(view, id);
      const events: NewEvent[] = [];
      let cat = before;
      if (name !== undefined && name !== before.name) {
        await refuseNamesake(view, name, id);
        events.push(event('cat.named', id, { catId: id, oldName: before.name, newName: name }));
        cat = { ...cat, name };
      }
      if (collar !== undefined && collar !== before.collar) {
        events.push(event('collar.assigned', id, { catId: id, collar }));
        cat = { ...cat, collar };
      }
      return { events, result: cat };
    });
  };
  return {
    as: (other) => openCatService(store, clock, other),
    changeCat,
    renameCat: (cat, name) => changeCat(cat, { name }),
    assignCollar: (cat, collar) => changeCat(cat, { collar }),
    async addCat(rawName, rawCollar) {
      const name = cleanText('name', rawName);
      const collar = rawCollar === undefined ? null : cleanText('collar', rawCollar);
      return command(async (view, event) => {
        await refuseNamesake(view, name, null);
        const id = await view.nextCatId();
        const events = [event('cat.named', id, { catId: id, oldName: null, newName: name })];
        if (collar !== null) events.push(event('collar.assigned', id, { catId: id, collar }));
        return { events, result: newCat(id, name, collar) };
      });
    },
    async updateCatLocation(id, rawPlace) {
      const place = cleanText('place', rawPlace);
      return command(async (view, event, time) => {
        const cat = await knownCat(view, id);
        if (cat.location === place) return { events: [], result: cat };
        const moved = event('cat.moved', id, { from: cat.location, to: place, catId: id });
        return { events: [moved], result: { ...cat, location: place, locationSince: time } };
      });
    },
    async revoke(epoch, seq, rawReason) {
      const reason = cleanText('reason', rawReason, MAX_REASON_LENGTH);
      const decide: Decide<readonly string[]> = (view, event) =>
        revoke(view, { epoch, seq }, reason, (type, body) => event(type, null, body));
      // It looks at no model, and may be what lets one go on.
      return command(decide, 'correction');
    },
    async reassign(epoch, seq, cat, rawReason) {
      const reason = cleanText('reason', rawReason, MAX_REASON_LENGTH);
      return command(async (view, event) => {
        await knownCat(view, cat);
        return reassign(view, { epoch, seq }, cat, reason, (type, body) => event(type, cat, body));
      });
    },
  };
}

/** Trimmed and in NFC, so that the same name typed on two keyboards is one name. Throws INVALID_NAME and so on. */
export function cleanText(what: 'name' | 'place' | 'collar' | 'reason', raw: string, max = MAX_NAME_LENGTH): string {
  const text = raw.normalize('NFC').trim();
  const length = [...text].length;
  if (length < 1 || length > max || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) {
    throw failure(`INVALID_${what.toUpperCase()}`, `${what} must be 1 to ${max} characters without control characters`);
  }
  return text;
}

type MakeEvent = <T extends EventType>(type: T, catId: number | null, body: EventData[T]) => NewEvent;

type Decide<T> = (
  view: CommandView,
  event: MakeEvent,
  time: string,
) => Promise<{ events: readonly NewEvent[]; result: T }>;

function commandsOf(store: CommandStore, clock: () => Date, by: string | null) {
  return <T>(decide: Decide<T>, kind: 'cats' | 'correction' = 'cats'): Promise<T> => {
    const time = clock().toISOString();
    const event: MakeEvent = (type, catId, body) => {
      const told = by === null ? body : { ...body, by };
      const when = { time, clock: 'synced', boot: null, monoMs: null } as const;
      return newEvent(type, catId === null ? null : `cat/${catId}`, told, when);
    };
    return store.command(time, (view) => decide(view, event, time), kind);
  };
}

async function knownCat(view: CommandView, id: number): Promise<CatRow> {
  const cat = await view.cat(id);
  if (cat === null) throw failure('CAT_NOT_FOUND', 'cat not found');
  return cat;
}

/** Two names that differ only in case are one: people would not tell them apart in speech. `self` may change its own. */
async function refuseNamesake(view: CommandView, name: string, self: number | null): Promise<void> {
  const fold = (text: string) => text.normalize('NFC').toLowerCase();
  const taken = (await view.cats()).some((cat) => cat.id !== self && fold(cat.name) === fold(name));
  if (taken) throw failure('CAT_EXISTS', 'cat already exists');
}

function newCat(id: number, name: string, collar: string | null): CatRow {
  const nothingYet = {
    isMeowed: false,
    location: null,
    locationSince: null,
    lastSeen: null,
    lastHeard: null,
    meowsToday: 0,
  };
  return { id, name, collar, ...nothingYet, batteryLow: false, silent: false };
}
