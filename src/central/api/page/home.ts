/** The first screen: the cats, what happened, and the house as it was at any moment. */
import type { Activity } from './activity.ts';
import { createActivityFeed } from './activity-feed.ts';
import { batteriesOf } from './batteries.ts';
import { showCats } from './cats.ts';
import type { Corrections } from './correct.ts';
import { createDays } from './days.ts';
import { byId, setText } from './dom.ts';
import { createReplay } from './replay.ts';
import { createTimeline } from './timeline.ts';
import type { Agent, Cat, CloudEvent } from './types.ts';

export interface Home {
  /** Central's cats are null until it has told them. */
  know(cats: readonly Cat[] | null, agents: readonly Agent[]): void;
  event(event: CloudEvent): void;
  /** What happened before is not known. Rejects where central does not answer. */
  reload(): Promise<void>;
  /** The address may have changed. */
  read(): void;
}

export function createHome(corrections: Corrections, pictureOf: (catId: number) => string | null): Home {
  let cats: readonly Cat[] | null = null;
  let agents: readonly Agent[] = [];
  let activity: Activity | null = null;
  const refused = byId('not-corrected', HTMLParagraphElement);
  const timeline = createTimeline((event) => {
    setText(refused, '');
    corrections.event(event, cats ?? [], (text) => setText(refused, text));
  });
  const feed = createActivityFeed((now, why) => {
    activity = now;
    sayActivity(why);
    show();
  });
  const replay = createReplay({
    move(moment) {
      timeline.until(moment);
      feed.until(moment);
      show();
    },
    told: () => show(),
  });
  const days = createDays(timeline.day);
  const show = () => {
    const { past } = replay;
    const shown = past === null ? cats : past.cats;
    if (shown === null) return;
    showCats({ cats: shown, activity, batteries: batteriesOf(agents), pictureOf, moment: past?.moment ?? null });
    days.show({ cats: shown, activity });
  };
  byId('cats', HTMLUListElement).addEventListener('click', ({ target }) => {
    const card = target instanceof Element && target.closest('.fix') !== null ? target.closest('li') : null;
    const cat = cats?.find(({ id }) => String(id) === card?.dataset.key);
    if (cat !== undefined) corrections.place(cat, cats ?? []);
  });
  return {
    know(now, heard) {
      cats = now;
      agents = heard;
      show();
      timeline.know(cats ?? [], agents);
    },
    event(event) {
      timeline.add(event);
      feed.event(event);
    },
    reload() {
      feed.reload();
      return timeline.reload();
    },
    read() {
      timeline.read();
      replay.read();
    },
  };
}

function sayActivity(why: string): void {
  const node = byId('no-activity', HTMLParagraphElement);
  node.hidden = why === '';
  setText(node, why === '' ? '' : `The meows could not be counted: ${why}`);
}
