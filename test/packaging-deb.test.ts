/** What the package does on a machine, as far as its texts say; `npm run lab` boots one. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentNameOf, agentSchema } from '../src/agent/config.ts';
import { ROOT, readText } from './architecture/files.ts';

describe.each(['postinst', 'prerm', 'postrm'])('%s', (script) => {
  test('is a shell script that stops at the first error', () => {
    const text = readText(`packaging/${script}`);
    expect(text.startsWith('#!/bin/sh\nset -e\n')).toBe(true);
    const { status, stderr } = spawnSync('sh', ['-n', join(ROOT, 'packaging', script)], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

test('events go at a purge alone', () => {
  const removes = (script: string) => /rm -rf/.test(readText(`packaging/${script}`));
  expect([removes('postinst'), removes('prerm')]).toEqual([false, false]);
  expect(readText('packaging/postrm')).toMatch(/if \[ "\$1" = purge \]; then[\s\S]*rm -rf \/var\/lib\/collard /);
});

test('the lock file is among the documents, where SECURITY.md says that a list of parts is made from it', () => {
  const path = 'usr/share/doc/collard/package-lock.json';
  expect(readText('packaging/deb.ts')).toContain(`write(stage, '${path}'`);
  expect(readText('SECURITY.md')).toContain(`\`/${path}\``);
});

test('each file that a unit is handed exists, so that the unit starts', () => {
  const files = readText('systemd/collard.tmpfiles');
  for (const kind of ['agent', 'central']) {
    const handed = [...readText(`systemd/collard-${kind}.service`).matchAll(/^LoadCredential=[^:]+:(.+)$/gm)];
    expect(handed.length).toBeGreaterThan(0);
    for (const [, path] of handed) expect(files).toContain(`f ${path} 0600 root root -`);
  }
});

test.each([
  ['porch', 'porch'],
  ['raspberrypi.lan', 'raspberrypi'],
  ['_-x', 'x'],
  ['central', 'agent'],
  ['', 'agent'],
])('an agent on %s is %s where nothing names it', (host, name) => {
  expect(agentNameOf(host)).toBe(name);
  expect(agentSchema.shape.agent.safeParse(name).success).toBe(true);
});
