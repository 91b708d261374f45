/** The cats as they were before what is in segments now: everything until then is folded. Of each cat one state is in memory. */
import { setImmediate } from 'node:timers/promises';
import type { CatState } from '../models/model.ts';
import { type AsideParts, atOneMoment } from './aside.ts';
import { createFold } from './build.ts';
import { readWearings } from './facts.ts';
import { pastRow } from './past.ts';
import { openSealedRows } from './sealed-rows.ts';
import type { CatRow } from './store.ts';
import { timeline } from './timeline.ts';

/** Rejects with code EXPIRED where no folder of segments is named, or SEGMENT_DAMAGED. */
export function wholeCatsAt(parts: AsideParts, at: Date): Promise<readonly CatRow[]> {
  const { model, names } = parts;
  const to = at.toISOString();
  const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate()).toISOString();
  return atOneMoment(parts, async (db) => {
    const sealed = await openSealedRows(db, parts.segments, { from: '', to });
    try {
      while (sealed.left > 0) await sealed.loadNext();
      const scope = { before: to };
      const wearings = await readWearings(db, model, names, scope);
      const states = new Map<number, CatState>();
      const fold = createFold(model, states);
      const meows = new Map<number, number>();
      for await (const page of timeline({ db, model, names, wearings, scope, sealed }, '')) {
        fold.add(page);
        for (const { cat_id: id, event_type: type, new_value: value, timestamp } of fold.take().rows) {
          if (type === 'meow' && value === '1' && timestamp >= midnight) meows.set(id, (meows.get(id) ?? 0) + 1);
        }
        // SQLite's driver never waits: signals would not be heard.
        await setImmediate();
      }
      const cats = [...states.values()].sort((a, b) => a.catId - b.catId);
      return cats.flatMap((cat) => (cat.name === null ? [] : pastRow(cat, cat.name, meows.get(cat.catId) ?? 0)));
    } finally {
      sealed.close();
    }
  });
}
