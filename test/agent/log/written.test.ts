import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writtenBytes } from '../../../src/agent/log/written.ts';

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-written-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'io'), text);
  return join(folder, 'io');
}

it('is what the kernel has counted for the thread, without what it read and what never reached the card', () => {
  const io = 'rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 40960\ncancelled_write_bytes: 7\n';
  expect(writtenBytes(file(io))).toBe(40_960);
});

it.each(['', 'wchar: 2\n', 'write_bytes: many\n'])('is not known where the system says %j', (text) => {
  expect(writtenBytes(file(text))).toBeNull();
});

it('is not known where there is no such file', () => {
  expect(writtenBytes('/nonexistent/io')).toBeNull();
});
