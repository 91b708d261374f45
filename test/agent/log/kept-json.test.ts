import { expect, it } from 'vitest';
import { keptList, parseKeptList, parseKeptObject } from '../../../src/agent/log/kept-json.ts';

it('a list is a list, or null', () => {
  expect(keptList('[1,"a"]')).toEqual([1, 'a']);
  expect(['', '[1', '{}', '7', 'null'].map(keptList)).toEqual([null, null, null, null, null]);
});

it('what is not what was written is damage, with its name', () => {
  expect(parseKeptList('[]', 'words')).toEqual([]);
  expect(parseKeptObject('{"a":1}', 'words')).toEqual({ a: 1 });
  const damage = { code: 'SQLITE_CORRUPT', message: "the log's words cannot be read" };
  for (const text of ['', '{', '{}', 'null'])
    expect(() => parseKeptList(text, 'words')).toThrow(expect.objectContaining(damage));
  for (const text of ['', '{', '7', 'null'])
    expect(() => parseKeptObject(text, 'words')).toThrow(expect.objectContaining(damage));
});
