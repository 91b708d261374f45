import { fsyncSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createNodeAnswers } from '../../../src/agent/source/node-answers.ts';

vi.mock('node:fs', { spy: true });

function rig(firstId = 100, before?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'collard-nodes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const idFile = join(folder, 'ids.json');
  if (before !== undefined) writeFileSync(idFile, before);
  const hand = { seconds: null as number | null, monoMs: 0 };
  const open = () =>
    createNodeAnswers({ firstId, idFile, localSeconds: () => hand.seconds, monoNow: () => hand.monoMs });
  return { hand, open, folder, idFile, ids: () => JSON.parse(readFileSync(idFile, 'utf8')) as unknown };
}

it('gives each node an id of its own, that nobody has or ever had', () => {
  const { open, ids } = rig();
  const ask = (answer = open(), heard: number[] = []) =>
    answer({ type: 'id', node: 255, child: 255, heard })?.toString();
  const answer = open();
  expect([ask(answer), ask(answer), ask(answer, [102, 104])]).toEqual([
    '255;255;3;0;4;100\n',
    '255;255;3;0;4;101\n',
    '255;255;3;0;4;103\n',
  ]);
  expect(ids()).toEqual([100, 101, 103]);
  expect(ask()).toBe('255;255;3;0;4;102\n');
});

it('gives no id when all are given', () => {
  const { open } = rig(253);
  const answer = open();
  const ask = () => answer({ type: 'id', node: 255, child: 255 })?.toString();
  expect([ask(), ask(), ask()]).toEqual(['255;255;3;0;4;253\n', '255;255;3;0;4;254\n', undefined]);
});

it.each([
  ['[100,', '"[100,"'],
  ['{"a":1}', '"{\\"a\\":1}"'],
  ['[1.5]', '"[1.5]"'],
  ['', 'nothing'],
  ['\u0000'.repeat(50), JSON.stringify('\u0000'.repeat(40))],
])('gives no id where %j is no list of them, says what to do, and leaves the file as it is', (damaged, shown) => {
  const { open, idFile } = rig(100, damaged);
  const answer = open();
  const ask = () => answer({ type: 'id', node: 255, child: 255 });
  expect(ask).toThrow(`${idFile}: expected a list of node ids such as [100,101], got ${shown}: write the ids of all`);
  expect(ask).toThrow(expect.objectContaining({ code: 'NODE_IDS' }));
  expect(readFileSync(idFile, 'utf8')).toBe(damaged);
});

it('gives an id only when the list and its name in the folder are flushed', () => {
  const { open, folder, idFile } = rig();
  const answer = open();
  for (const spy of [openSync, fsyncSync, renameSync]) vi.mocked(spy).mockClear();
  answer({ type: 'id', node: 255, child: 255 });
  const opened = vi.mocked(openSync).mock;
  const paths = opened.calls.map(([path]) => path);
  expect(paths).toEqual([`${idFile}.new`, folder]);
  expect(vi.mocked(fsyncSync).mock.calls.map(([fd]) => fd)).toEqual(opened.results.map(({ value }) => value));
  const [list = 0, name = 0] = vi.mocked(fsyncSync).mock.invocationCallOrder;
  const [renamed = 0] = vi.mocked(renameSync).mock.invocationCallOrder;
  expect(list < renamed && renamed < name).toBe(true);
});

it('tells the time once it knows it', () => {
  const { hand, open } = rig();
  const answer = open();
  const ask = () => answer({ type: 'time', node: 7, child: 3 })?.toString();
  expect(ask()).toBeUndefined();
  hand.seconds = 1_764_180_000.9;
  expect(ask()).toBe('7;3;3;0;1;1764180000\n');
});

it('tells that it is metric', () => {
  expect(rig().open()({ type: 'config', node: 7, child: 255 })?.toString()).toBe('7;255;3;0;6;M\n');
});

it('asks a node what it is once a minute', () => {
  const { hand, open } = rig();
  const answer = open();
  const ask = (node: number) => answer({ type: 'presentation', node, child: 1 })?.toString();
  expect([ask(7), ask(7), ask(8)]).toEqual(['7;255;3;0;19;\n', undefined, '8;255;3;0;19;\n']);
  hand.monoMs = 60_000;
  expect(ask(7)).toBe('7;255;3;0;19;\n');
});
