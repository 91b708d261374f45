import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { openIngestSource, sourceHealth } from '../../src/agent/open-source.ts';
import type { PortStream } from '../../src/agent/source/system-port.ts';

const WALL = Date.UTC(2026, 10, 26, 12);

function rig(source: object, quality: 'synced' | 'unsynced' = 'synced', more: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'collard-open-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [source],
    log: { path: join(folder, 'events.db') },
    mqtt: { url: 'mqtt://x' },
    ...more,
  });
  const written: string[] = [];
  const warnings: string[] = [];
  const port: PortStream = {
    isOpen: true,
    open: (done) => done(null),
    close: (done) => done(null),
    write(bytes, done) {
      written.push(bytes.toString());
      done(null);
    },
    on: () => undefined,
  };
  const clock = { wallNow: () => WALL, monoNow: () => 0, quality: () => quality, boot: 'b' };
  const logger = { info: () => undefined, warn: (_: object, text: string) => void warnings.push(text) };
  const usb = { vendorId: '0403', productId: '6001', product: null, serialNumber: null };
  const ports = { monoNow: () => 0, random: () => 0, create: () => port, usbOf: async () => usb };
  const [configured] = config.sources;
  if (configured === undefined) throw new Error('no source');
  const opened = openIngestSource({ ...configured, bindKeys: config.bindKeys, folder }, ports, clock, logger);
  const stop = new AbortController();
  const running = async () => {
    const inputs = opened.source.inputs(stop.signal)[Symbol.asyncIterator]();
    await inputs.next();
    return async () => {
      stop.abort();
      await inputs.next();
    };
  };
  const hear = (line: string) => {
    for (const request of opened.decoder.push(Buffer.from(`${line}\n`), 0).requests ?? []) opened.answer?.(request);
  };
  return { opened, folder, written, warnings, running, hear, stop };
}

describe('a MySensors gateway', () => {
  const source = { serial: '/dev/x', format: 'mysensors', nodeIdsFrom: 100 };

  it('is answered, and its ids are kept beside the log', async () => {
    const { running, hear, written, warnings, folder, opened } = rig(source);
    const end = await running();
    for (const line of ['255;255;3;0;3;', '7;255;3;0;6;0', '7;1;1;0;16;1', '7;255;3;0;1;']) hear(line);
    const seconds = WALL / 1000 - new Date(WALL).getTimezoneOffset() * 60;
    expect(written).toEqual(['255;255;3;0;4;100\n', '7;255;3;0;6;M\n', '7;255;3;0;19;\n', `7;255;3;0;1;${seconds}\n`]);
    expect(readFileSync(join(folder, 'mysensors-ids.json'), 'utf8')).toBe('[100]\n');
    expect(sourceHealth(opened)).toMatchObject({ source: '/dev/x', usb: { vendorId: '0403', productId: '6001' } });
    expect(warnings).toEqual([]);
    await end();
  });

  it('hears no time from a clock that is not set', async () => {
    const { running, hear, written } = rig(source, 'unsynced');
    const end = await running();
    hear('7;255;3;0;1;');
    expect(written).toEqual([]);
    await end();
  });

  it('is told about where it takes nothing, and where an id cannot be kept', () => {
    const { hear, warnings, folder } = rig(source);
    hear('7;255;3;0;6;0');
    writeFileSync(join(folder, 'mysensors-ids.json'), '{}');
    hear('255;255;3;0;3;');
    expect(warnings).toEqual([
      'a node gets no answer: the gateway takes nothing',
      expect.stringMatching(
        /mysensors-ids\.json: expected a list of node ids .*: write the ids of all your nodes into it/,
      ),
    ]);
  });

  it('is not answered where nobody asked for it', () => {
    expect(rig({ serial: '/dev/x', format: 'mysensors' }).opened.answer).toBeUndefined();
    expect(rig({ serial: '/dev/x', format: 'rflink', nodeIdsFrom: 100 }).opened.answer).toBeUndefined();
  });
});

it('GPIO lines have a decoder of their own', () => {
  const lines = [{ line: 17, kind: 'motion', place: 'hall' }];
  const { opened } = rig({ gpio: 'pinctrl-rp1', lines });
  expect(opened.source.name).toBe('gpio pinctrl-rp1');
  expect(opened.decoder.push(Buffer.from('1 17 0.000000005\n'), 0).readings).toMatchObject([{ place: 'hall' }]);
});

it('encrypted advertisements are opened with the keys of the configuration', () => {
  const source = { serial: '/dev/x', format: 'bthome' };
  const line = Buffer.from('54:48:E6:8F:80:A5 4187b90011223372b0231f\n');
  expect(rig(source).opened.decoder.push(line, 0).discards).toMatchObject([{ reason: 'no-key' }]);
  const bindKeys = '5448E68F80A5=231d39c1d7cc1ab1aee224cd096db932';
  const { opened } = rig(source, 'synced', { bindKeys });
  expect(opened.decoder.push(line, 0).readings).toMatchObject([{ motion: true }]);
});
