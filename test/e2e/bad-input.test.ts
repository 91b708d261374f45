import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { createEncoder } from '../../src/simulator/encode.ts';
import { createSimulation } from '../../src/simulator/simulation.ts';
import { startAedes, until } from '../servers.ts';
import { openStack, type Stack } from './stack.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openRunning(format: 'json' | 'frame'): Promise<Stack> {
  const broker = await startAedes();
  closing.push(broker.stop);
  const stack = await openStack({ brokerUrl: broker.url, format });
  closing.push(stack.close);
  stack.central.start();
  stack.agent.start();
  await until('the port is open', async () => (await stack.health())?.sources[0]?.state === 'open', 30_000);
  return stack;
}

/** Ten seconds of two collars, as their receiver writes them. */
function goodBytes(format: 'json' | 'frame'): Uint8Array {
  const simulation = createSimulation({ collars: 2, rateHz: 50, seed: 11, dropout: 0 });
  const encoder = createEncoder(format);
  const chunks = Array.from({ length: 100 }, () => encoder.encode(simulation.step())).flat();
  return Buffer.concat(chunks);
}

const discarded = async (stack: Stack) => (await stack.health())?.sources[0]?.discarded ?? {};
const readings = async (stack: Stack) => (await stack.health())?.sources[0]?.readings ?? 0;

async function expectAlive(stack: Stack, format: 'json' | 'frame') {
  const before = await readings(stack);
  // A line or frame end first: what came before it was somebody else's.
  await stack.write(Buffer.from(format === 'json' ? '\n' : [0xc0]));
  await stack.write(goodBytes(format));
  await until('good readings are read after bad bytes', async () => (await readings(stack)) >= before + 1_000);
  expect(stack.agent.exitCode()).toBeNull();
}

/** Lines about one kind of discard: at most one a minute, and the test takes less than two. */
function linesAbout(stack: Stack, reason: string): number {
  return readFileSync(stack.agent.log, 'utf8').split(`"reason":"${reason}"`).length - 1;
}

test('a port of lines survives random bytes, endless lines, wrong types and unknown collars, counted by kind', async () => {
  const stack = await openRunning('json');
  await stack.write(randomBytes(50_000));
  await stack.write(Buffer.concat([Buffer.from('\n'), Buffer.alloc(1_000_000, 'a'), Buffer.from('\n')]));
  const wrong = [
    '{"collar":7}',
    '{"collar":"A","ax":"much"}',
    '{"collar":"A","battery":-4}',
    '[1,2]',
    'null',
    '{"collar":"A"',
  ];
  for (let i = 0; i < 50; i += 1) await stack.write(Buffer.from(`${wrong.join('\n')}\n`));
  await expectAlive(stack, 'json');
  const counts = await discarded(stack);
  expect(counts['too-long']).toBeGreaterThanOrEqual(1);
  expect(counts['bad-value']).toBeGreaterThanOrEqual(100);
  expect(counts['not-json']).toBeGreaterThanOrEqual(100);
  for (const reason of ['too-long', 'bad-value', 'not-json']) expect(linesAbout(stack, reason)).toBeLessThanOrEqual(2);
}, 120_000);

test('a port of frames survives noise, wrong checksums and another baud rate', async () => {
  const stack = await openRunning('frame');
  await stack.write(randomBytes(50_000));
  const frames = goodBytes('frame');
  // Every 97th byte differs: about one in each frame of 45.
  await stack.write(frames.map((byte, i) => (i % 97 === 50 && byte !== 0xc0 ? byte ^ 0x08 : byte)));
  // What a receiver at half the speed looks like: every bit is seen twice.
  await stack.write(Buffer.from([...frames.subarray(0, 20_000)].flatMap((byte) => twice(byte))));
  await expectAlive(stack, 'frame');
  const counts = await discarded(stack);
  expect(counts['bad-crc']).toBeGreaterThanOrEqual(50);
  expect(linesAbout(stack, 'bad-crc')).toBeLessThanOrEqual(2);
}, 120_000);

function twice(byte: number): [number, number] {
  let wide = 0;
  for (let bit = 0; bit < 8; bit += 1) if ((byte >> bit) & 1) wide |= 0b11 << (2 * bit);
  return [wide & 0xff, wide >> 8];
}
