import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Bytes of buffers after packets of 1 000 lengths, each in another pool of Node.js. */
function heldAfterPackets(first: string): number {
  const script = `
    import { createRequire } from 'node:module';
    ${first}
    const { generate } = createRequire(${JSON.stringify(import.meta.url)})('mqtt-packet');
    const work = { at: 0 };
    for (let length = 1; length <= 1_000; length += 1) {
      generate({ cmd: 'publish', topic: 't', payload: Buffer.alloc(length), qos: 0, retain: false, dup: false });
      for (let n = 0; n < 32; n += 1) work.at = Buffer.allocUnsafe(Buffer.poolSize >> 4);
    }
    // V8 counts off what it has given up a little later, in a thread of its own.
    let least = Infinity;
    for (let n = 0; n < 10; n += 1) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
      least = Math.min(least, process.memoryUsage().arrayBuffers);
    }
    process.stdout.write(String(least));`;
  const args = ['--no-warnings', '--expose-gc', '--input-type=module', '-e', script];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

test.each(['lib/mqtt-link.ts', 'central/broker/broker.ts'])(
  'with %s, what was sent keeps no pool of Node.js',
  (name) => {
    const module = JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href);
    expect(heldAfterPackets(`await import(${module});`)).toBeLessThan(4e6);
  },
);

// Where this fails mqtt-packet has mended it, and our part can go.
test('without it each length keeps one', () => {
  expect(heldAfterPackets('')).toBeGreaterThan(6e6);
});

test('lengths are written as before', () => {
  const lengths = [
    0, 1, 2, 124, 125, 126, 127, 128, 129, 200, 255, 256, 300, 16_379, 16_380, 16_381, 16_382, 16_383, 70_000,
  ];
  const script = (first: string) => `
    import { createRequire } from 'node:module';
    ${first}
    const { generate } = createRequire(${JSON.stringify(import.meta.url)})('mqtt-packet');
    const publish = (n) => generate({ cmd: 'publish', topic: '', payload: Buffer.alloc(n), qos: 0, retain: false, dup: false });
    process.stdout.write(JSON.stringify(${JSON.stringify(lengths)}.map((n) => publish(n).subarray(0, 5).toString('hex'))));`;
  const run = (first: string) =>
    execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', script(first)], { encoding: 'utf8' });
  const module = JSON.stringify(new URL('../../src/lib/mqtt-link.ts', import.meta.url).href);
  expect(run(`await import(${module});`)).toBe(run(''));
});
