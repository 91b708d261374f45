/** `collard verify --models`: the live models against a fold of all events, in segments and in the store. */
import type { CentralConfig } from '../central/config.ts';
import { openReplayStore } from '../central/open-store.ts';
import { comparisonSentences } from './comparison.ts';
import { EXIT } from './exit.ts';
import { createMeter } from './meter.ts';
import { openExisting } from './open-existing.ts';
import { print, printJson } from './output.ts';
import { asSealedFailure } from './sealed.ts';

/** Sets exit code 1 where they differ. Writes nothing, and keeps no writer waiting. */
export async function verifyModels(config: CentralConfig, json: boolean): Promise<void> {
  const { url, password } = config.store;
  const { fold, retention } = config;
  const meter = createMeter();
  let folded = 0;
  const store = await openExisting(url, () => openReplayStore({ url, password, fold, segments: retention?.segments }));
  try {
    const { version, events, cats, ...comparison } = await store.verifyModels((page, of) => {
      folded += page;
      meter.at(folded, of, 'folding all events');
    });
    meter.clear();
    const { equal, live, rebuilt, inFlight, difference } = comparison;
    if (json) printJson({ models: { version, events, cats, equal, digest: live, rebuilt, inFlight, difference } });
    else {
      print(`version ${version} of the models, ${cats} cats, against ${events} events`);
      for (const line of comparisonSentences({ ...comparison, cats })) print(line);
    }
    if (!equal) process.exitCode = EXIT.checkFailed;
  } catch (error) {
    throw asSealedFailure(error);
  } finally {
    meter.clear();
    await store.close();
  }
}
