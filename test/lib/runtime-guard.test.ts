import { expect, test } from 'vitest';
import { assertRuntime, bundledNode, decideRuntime, isSuitable } from '../../src/lib/runtime-guard.ts';

test.each([
  ['v18.20.4', false],
  ['v20.20.2', false],
  ['v22.13.1', false],
  ['v22.14.0', true],
  ['v22.21.0', true],
  ['v23.11.0', false],
  ['v24.0.0', true],
  ['v24.21.0', true],
  ['v25.2.0', false],
  ['v26.0.0', true],
  ['v100.1.0', true],
  ['something else', false],
])('Node.js %s is suitable: %s', (version, suitable) => {
  expect(isSuitable(version)).toBe(suitable);
});

test('a suitable version goes on, whatever came along', () => {
  expect(decideRuntime('v24.21.0', null, false)).toEqual({ type: 'suitable' });
  expect(decideRuntime('v24.21.0', '/n', true)).toEqual({ type: 'suitable' });
});

test('an old version hands over to the one that came along, once', () => {
  expect(decideRuntime('v20.20.2', '/n', false)).toEqual({ type: 'reexec', node: '/n' });
  expect(decideRuntime('v20.20.2', '/n', true).type).toBe('explain');
});

test('an old version alone names both fixes', () => {
  const decision = decideRuntime('v20.20.2', null, false);
  expect(decision).toMatchObject({ type: 'explain', message: expect.stringContaining('v20.20.2') });
  expect(decision).toMatchObject({
    message: expect.stringMatching(/fix: run "npm ci".*fix: or install Node\.js 24/s),
  });
});

test('the database openers get an error with a code', () => {
  expect(() => assertRuntime('v20.20.2')).toThrow(expect.objectContaining({ code: 'RUNTIME_TOO_OLD' }));
  assertRuntime();
});

test('no Node.js came along for a platform that has none', () => {
  expect(bundledNode(import.meta.url, 'sunos', 'sparc')).toBeNull();
});
