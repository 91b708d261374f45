import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFileSource } from '../../../src/agent/source/file.ts';

const ports = { monoNow: () => 7, random: () => 0, retry: { firstMs: 2, maxMs: 5 } };

function tempFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-file-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'capture.ndjson');
}

it('a capture file is read once from its start and ended', async () => {
  const file = tempFile();
  const text = 'x'.repeat(10_000);
  writeFileSync(file, text);
  const kinds: string[] = [];
  let read = '';
  for await (const input of openFileSource({ file }, ports).inputs(new AbortController().signal)) {
    kinds.push(input.type);
    if (input.type === 'bytes') read += Buffer.from(input.bytes).toString();
  }
  expect(read).toBe(text);
  expect([kinds[0], kinds.at(-1)]).toEqual(['opened', 'ended']);
});

it('a capture file that is not there yet is said to have failed once, and read when it comes', async () => {
  const file = tempFile();
  const kinds: string[] = [];
  for await (const input of openFileSource({ file }, ports).inputs(new AbortController().signal)) {
    kinds.push(input.type);
    if (input.type === 'failed') writeFileSync(file, 'here');
  }
  expect(kinds).toEqual(['failed', 'opened', 'bytes', 'ended']);
});

it('a capture file stops with its signal', async () => {
  const file = tempFile();
  writeFileSync(file, 'x'.repeat(100_000));
  const stop = new AbortController();
  const kinds: string[] = [];
  for await (const input of openFileSource({ file }, ports).inputs(stop.signal)) {
    kinds.push(input.type);
    if (input.type === 'bytes') stop.abort();
  }
  expect(kinds).toEqual(['opened', 'bytes']);
});
