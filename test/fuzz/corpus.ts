/** The inputs that are kept: a file a target, an input a line, its bytes as a JSON text of ASCII. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('./corpus/', import.meta.url);

/** What the file of one target may hold. */
export const MAX_CORPUS_BYTES = 12_000;

export function readCorpus(target: string): Uint8Array[] {
  const file = new URL(`${target}.txt`, folder);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => Buffer.from(JSON.parse(line) as string, 'latin1'));
}

export function writeCorpus(target: string, inputs: readonly Uint8Array[]): string {
  const file = fileURLToPath(new URL(`${target}.txt`, folder));
  writeFileSync(file, inputs.map((input) => `${asText(input)}\n`).join(''));
  return file;
}

/** JSON of the bytes as Latin-1, in ASCII. */
export function asText(input: Uint8Array): string {
  return JSON.stringify(Buffer.from(input).toString('latin1')).replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
