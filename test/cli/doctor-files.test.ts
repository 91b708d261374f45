import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadAnyConfig } from '../../src/cli/config.ts';
import { checkFiles } from '../../src/cli/doctor-files.ts';

function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-files-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('files of central that everybody may read are each a warning with its fix, and those of its owner none', async () => {
  const folder = openFolder();
  const at = (name: string) => join(folder, name);
  const settings = {
    store: { url: `sqlite:${at('central.db')}` },
    mqtt: { url: 'mqtts://broker', key: at('client.key') },
    broker: { tls: { cert: at('broker.crt'), key: at('broker.key') } },
    retention: { keepDays: 30, segments: at('segments') },
  };
  writeFileSync(at('central.yaml'), JSON.stringify(settings));
  const files = ['client.key', 'broker.key', 'central.db', 'central.db-wal'];
  for (const name of files) writeFileSync(at(name), '');
  for (const name of files) chmodSync(at(name), 0o644);
  mkdirSync(at('segments'));
  chmodSync(at('segments'), 0o755);
  const any = loadAnyConfig(at('central.yaml'), {});
  const findings = await checkFiles(any);
  expect(findings.map(({ result }) => result)).toEqual(Array(5).fill('warn'));
  expect(findings.map(({ fix }) => fix)).toEqual([
    ...files.map((name) => `chmod 600 ${at(name)}`),
    `chmod 700 ${at('segments')}`,
  ]);
  for (const name of files) chmodSync(at(name), 0o640);
  chmodSync(at('segments'), 0o700);
  expect(await checkFiles(any)).toEqual([]);
});

test('the key of an agent for the broker is looked at, and one that is not there is not', async () => {
  const folder = openFolder();
  const [file, key] = [join(folder, 'agent.yaml'), join(folder, 'client.key')];
  const log = { path: join(folder, 'events.db') };
  writeFileSync(file, JSON.stringify({ sources: [{ file: key }], log, mqtt: { url: 'mqtts://broker', key } }));
  const any = loadAnyConfig(file, {});
  expect(await checkFiles(any)).toEqual([]);
  writeFileSync(key, '');
  chmodSync(key, 0o644);
  expect(await checkFiles(any)).toMatchObject([{ check: 'key', result: 'warn', fix: `chmod 600 ${key}` }]);
});
