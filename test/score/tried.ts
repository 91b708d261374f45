/** What was tried and rejected, with its figures: written down once beside the training, printed with the scores. */
import { readFileSync } from 'node:fs';

const NOTES = new URL('../train/README.md', import.meta.url);

/** The tables of test/train/README.md whose heads tell of variants, each with the words before it. */
export function triedTables(text: string = readFileSync(NOTES, 'utf8')): string {
  const parts = text.split(/\n\n/);
  const found = parts.flatMap((part, i) =>
    /^\| (?:detector|without a calibration) \|/.test(part) ? [`${parts[i - 1]}\n\n${part}\n`] : [],
  );
  return ['## What was tried and rejected\n', ...found].join('\n');
}
