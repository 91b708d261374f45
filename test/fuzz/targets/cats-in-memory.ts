/** Two cats and a few events in memory, for commands that are decided and never stored. */
import type { CatRow, CentralEvent, CommandStore, CommandView } from '../../../src/central/store/store.ts';
import { fullType, type NewEvent } from '../../../src/contract/event.ts';
import { EPOCH } from './message.ts';

export const TIME = '2026-11-23T06:14:09.842Z';

const nothingYet = {
  location: 'kitchen',
  isMeowed: false,
  locationSince: null,
  lastSeen: null,
  lastHeard: null,
  meowsToday: 0,
  batteryLow: false,
  silent: false,
};
const CATS: readonly CatRow[] = [
  { ...nothingYet, id: 1, name: 'Mia', collar: 'C1' },
  { ...nothingYet, id: 2, name: 'Tom', collar: null },
];
/** By their seq: a shake with its end, a name, one that was taken back, and what takes it back. */
const EVENTS: readonly CentralEvent[] = [
  central(1, 'meow.started', 'collar/C1', '{"level":2}'),
  central(2, 'meow.ended', 'collar/C1', '{"durationMs":430}'),
  central(3, 'cat.named', 'cat/1', '{"catId":1,"oldName":null,"newName":"Mia"}'),
  { ...central(4, 'cat.moved', 'collar/C1', '{"from":null,"to":"hall"}'), revoked: true },
  central(5, 'event.revoked', null, `{"epoch":"${EPOCH}","seq":4,"reason":"a dog"}`),
];

function central(
  seq: number,
  type: Parameters<typeof fullType>[0],
  subject: string | null,
  data: string,
): CentralEvent {
  const stored = { epoch: EPOCH, seq, type: fullType(type), version: 1, subject, data };
  const timed = { ...stored, time: TIME, clock: 'synced', boot: null, monoMs: null } as const;
  return {
    ...timed,
    agent: 'porch',
    shard: 1,
    arrival: seq,
    position: seq,
    revoked: false,
    reassignedTo: null,
    correction: null,
  };
}

/** Decides over two cats and five events, always the same; `written` gets what the command would append. */
export function storeOf(written: NewEvent[]): CommandStore {
  const half = (seq: number) => EVENTS.find((event) => event.seq === seq) ?? null;
  const view: CommandView = {
    cats: async () => CATS,
    catByName: async (name) => CATS.find((cat) => cat.name === name) ?? null,
    cat: async (id) => CATS.find((cat) => cat.id === id) ?? null,
    nextCatId: async () => CATS.length + 1,
    event: async (epoch, seq) => (epoch === EPOCH ? half(seq) : null),
    newestOf: async () => [],
    otherHalf: async ({ seq }) => (seq <= 2 ? half(3 - seq) : null),
  };
  return {
    async command(_now, decide) {
      const { events, result } = await decide(view);
      written.push(...events);
      return result;
    },
  };
}
