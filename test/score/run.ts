/**
 * `npm run score`: how the detectors do on recordings, beside what people wire up instead, and what they cost. The recordings are not
 * part of this project: of several the licence is unknown.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { costTables } from './cost.ts';
import { motionSuite, roomSuite } from './place-suite.ts';
import { shakeSuite } from './shake-suite.ts';
import { triedTables } from './tried.ts';

const UNAVAILABLE = 69;
const SUITES = [
  { folder: 'shake', index: 'index.json', run: shakeSuite },
  { folder: 'rooms', index: 'index.json', run: roomSuite },
  { folder: 'pir', index: 'truth.json', run: motionSuite },
] as const;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { data: { type: 'string' } } });
const data = values.data ?? process.env.COLLARD_RECORDINGS ?? '';
const asked = (name: string) => positionals.length === 0 || positionals.includes(name);

if (asked('cost')) process.stdout.write(`${costTables()}\n`);
if (asked('tried')) process.stdout.write(`${triedTables()}\n`);
const missing: string[] = [];
for (const { folder, index, run } of SUITES) {
  if (!asked(folder)) continue;
  if (data !== '' && existsSync(join(data, folder, index))) process.stdout.write(`${run(join(data, folder))}\n`);
  else missing.push(join(folder, index));
}
if (missing.length > 0) {
  process.stderr.write(
    `${data === '' ? 'no folder with recordings is named' : `${data} has no ${missing.join(', no ')}`}: the figures above are without them.\n` +
      'The recordings are not part of this project. Name their folder: npm run score -- --data FOLDER, or COLLARD_RECORDINGS=FOLDER.\n' +
      'What lies in it says test/train/README.md.\n',
  );
  process.exitCode = UNAVAILABLE;
}
