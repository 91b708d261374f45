/** What the API is handed by the serve loop. It opens nothing and closes nothing. */

import type { CatService } from '../cats/cat-service.ts';
import type { CatWatchDog } from '../cats/cat-watchdog.ts';
import type { LookOn } from '../look-on.ts';
import type { Pictures } from '../pictures.ts';
import type { Stats, StatsQuestion } from '../stats.ts';
import type { CentralStatus } from '../status.ts';
import type { AccessStore } from '../store/access-store.ts';
import type { GapStore } from '../store/gap-store.ts';
import type { QuarantineStore } from '../store/kept.ts';
import type { KeyStore } from '../store/key-store.ts';
import type { NoticeStore } from '../store/notice-store.ts';
import type { Cursor, ReadStore } from '../store/store.ts';
import type { HttpRules } from './access.ts';
import type { Changes } from './changes.ts';
import type { Metrics } from './metrics.ts';

export interface ApiParts {
  readonly store: ReadStore &
    GapStore &
    Omit<QuarantineStore, 'quarantine'> &
    KeyStore &
    AccessStore &
    Pick<NoticeStore, 'noticeCounts'>;
  /** Who may use it. */
  readonly http: HttpRules;
  /** Takes a message from quarantine in again; null where there is none of this number. */
  readonly retry: (no: number) => Promise<Retried | null>;
  readonly cats: CatService;
  readonly watchdog: CatWatchDog;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly cursors: CursorCodec;
  /** Events counted by hour or day. Rejects with code BAD_TIME_ZONE, CAT_NOT_FOUND or TOO_MUCH_HISTORY. */
  readonly statsOf: (question: StatsQuestion) => Promise<Stats>;
  /** Who of several centrals does what. */
  readonly status: () => Promise<CentralStatus & { readonly concerns: readonly string[] }>;
  /** Pictures of cats. */
  readonly pictures: Pictures;
  /** What a collar does now; absent: nobody may look on. */
  readonly look?: LookOn['look'] | undefined;
  /** What other settings would have made of kept readings; absent: nobody may ask. */
  readonly compare?: LookOn['compare'] | undefined;
  readonly clock: () => Date;
  readonly version: string;
  /** Nothing here is real: said on the page and in the answers. */
  readonly simulated: boolean;
  /** Why this central cannot do its work now, or null. */
  readonly notReady: () => string | null;
  /** The folder of the page: index.html, page.css and the built modules. */
  readonly pageDir: string;
  /** Aborts when the server must let its streams go. */
  readonly signal: AbortSignal;
}

export type Retried =
  /** It is stored, and no longer in quarantine. */
  | { readonly ok: true; readonly inserted: number; readonly duplicates: number; readonly conflicts: number }
  /** It stays. */
  | { readonly ok: false; readonly reason: string };

export interface CursorCodec {
  encode(cursor: Cursor): string;
  /** Throws with code BAD_CURSOR where the text is no cursor. */
  decode(text: string): Cursor;
}
