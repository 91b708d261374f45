/** The model that this program builds, as the store takes it. */
import { evolveCat, startCat } from './cat.ts';
import { factKey, meaningOf } from './meaning.ts';
import type { CatModel } from './model.ts';
import { heardBy } from './sightings.ts';
import { wearingsOf } from './wearing.ts';

export const catModel: CatModel = {
  key: factKey,
  meaning: meaningOf,
  wearings: wearingsOf,
  start: startCat,
  evolve: evolveCat,
  heardBy: ({ sightings }) => (sightings === undefined ? [] : heardBy(sightings)),
};
