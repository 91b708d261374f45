/**
 * What central says of cats on MQTT: who folds says it at once, and the announce loop says what changed besides. A retained message
 * goes out when it differs from the one before.
 */
import { alertTopic, catTopic, meowTopic } from '../contract/topic.ts';
import type { Published } from '../lib/mqtt-link.ts';
import type { MeowNotice } from './project.ts';
import type { CatRow } from './store/store.ts';
import type { Outbox } from './subscriber/outbox.ts';

/** A meow that is told later than this after it began is history, and marked so. */
export const LATE_MS = 5 * 60_000;
/** Messages that wait for the link; the rest is put in a later round. */
const MAX_PUT = 1_000;
/** Reason codes from here on say no. */
export const REFUSED = 0x80;

export interface Bulletin {
  /** A changed cat, at once. */
  cat(row: CatRow): void;
  meow(meow: MeowNotice): void;
  alert(catId: number, told: object): void;
  /** Whoever listens may know nothing: all is told again. */
  renew(): void;
}

/** The bulletin as the loop uses it. */
export interface Desk extends Bulletin {
  readonly renewals: number;
  readonly room: boolean;
  /** Forgets which cats others have told of. */
  begin(): void;
  toldSince(catId: number): boolean;
  batteries(percents: ReadonlyMap<string, number>): void;
  rowOf(row: CatRow): string;
  /** Unless the same is told already. */
  put(topic: string, payload: string, answered?: (published: Published) => void): void;
  clear(topic: string, cleared: () => void): void;
}

export function createBulletin(outbox: Outbox, base: string, clock: () => Date): Desk {
  const told = new Map<string, string>();
  const since = new Set<number>();
  let percents: ReadonlyMap<string, number> = new Map();
  let renewals = 0;
  const put: Desk['put'] = (topic, payload, answered) => {
    if (told.get(topic) === payload) return;
    told.set(topic, payload);
    outbox.put(topic, payload, { retain: true, about: topic, ...(answered && { answered }) });
  };
  const rowOf = (row: CatRow) => {
    const batteryPercent = row.collar === null ? null : (percents.get(row.collar) ?? null);
    return JSON.stringify({ ...row, meowsSince: dayOf(clock()), batteryPercent });
  };
  return {
    cat(row) {
      since.add(row.id);
      put(catTopic(base, row.id), rowOf(row));
    },
    meow(meow) {
      const late = () => clock().getTime() - Date.parse(meow.time) > LATE_MS;
      // It may wait for the link, and so become late.
      outbox.put(meowTopic(base, meow.catId), () => JSON.stringify({ ...meow, late: late() }), { retain: false });
    },
    alert: (catId, alert) => outbox.put(alertTopic(base, catId), JSON.stringify(alert), { retain: false }),
    renew() {
      told.clear();
      renewals += 1;
    },
    get renewals() {
      return renewals;
    },
    get room() {
      return outbox.waiting < MAX_PUT;
    },
    begin: () => since.clear(),
    toldSince: (catId) => since.has(catId),
    batteries(now) {
      percents = now;
    },
    rowOf,
    put,
    clear(topic, cleared) {
      if (told.get(topic) === '') return;
      told.set(topic, '');
      const answered = ({ ok, ...why }: Published) => {
        if (ok || !('reasonCode' in why) || why.reasonCode < REFUSED) cleared();
      };
      outbox.put(topic, '', { retain: true, about: topic, answered });
    },
  };
}

/** Where "today" began, on this machine. */
function dayOf(now: Date): string {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
}
