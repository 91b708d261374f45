/**
 * Tells of events that central asks for and the log holds no more: confirmed once, gone from the card, and central has been put
 * back to before them. What lies before the oldest event that is held needs no event: `sync` says so.
 */
import { newEvent } from '../../contract/event.ts';
import { lostData, lostRanges } from '../../contract/lost.ts';
import type { SeqRange } from '../../contract/message.ts';
import type { BeginPorts, Lost } from './begin.ts';
import { appendRows, type EpochState, type LogCore } from './core.ts';
import { parseKeptObject } from './kept-json.ts';
import { without } from './without.ts';

const REASON = 'neither in the log nor at central';

/**
 * `asked` is sorted and disjoint. Of it only numbers that the epoch has given count, that have no row, and that no held event
 * tells: so whoever asks cannot have more told than is gone, once in each epoch. Within `write`. Returns what it told.
 */
export function tellMissing(
  core: LogCore,
  epoch: EpochState,
  asked: readonly SeqRange[],
  when: BeginPorts['when'],
): readonly Lost[] {
  const { base, firstSeq, lastSeq } = epoch;
  const gone = asked.flatMap(([from, to]) =>
    core.rows
      .missing(base + Math.max(from, firstSeq), base + Math.min(to, lastSeq))
      .map(([first, last]): SeqRange => [first - base, last - base]),
  );
  if (gone.length === 0) return [];
  const lost = lostData(epoch.epoch, without(gone, toldOf(core, epoch.epoch)), REASON);
  if (lost.length > 0) {
    appendRows(
      core,
      lost.map((one) => newEvent('history.lost', null, one, when())),
    );
  }
  return lost;
}

/**
 * What the held `history.lost` events tell of an epoch. Of an epoch that was left only those that central has not answered for: it
 * would not ask if it had taken them. It keeps another event under their number, where a card was put back and went on.
 */
function toldOf(core: LogCore, about: string): SeqRange[] {
  const told: SeqRange[] = [];
  const current = core.epochs.at(-1);
  for (const teller of core.epochs) {
    const answered = teller === current ? 0 : teller.storedSeq;
    for (const pos of core.tells.all) {
      if (pos <= teller.base + answered || pos > teller.base + teller.lastSeq) continue;
      for (const { data } of core.rows.iterate(teller, pos, pos)) {
        const body = parseKeptObject(data, 'history.lost');
        if (body.epoch === about) told.push(...(lostRanges(body) ?? []));
      }
    }
  }
  return told;
}
