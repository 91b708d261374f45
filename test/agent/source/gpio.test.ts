import { expect, it, onTestFinished } from 'vitest';
import { openGpioSource } from '../../../src/agent/source/gpio.ts';
import { GpioError, type LinesSink, type WatchLines } from '../../../src/agent/source/gpio-lines.ts';
import type { SourceInput } from '../../../src/agent/source/source.ts';

const request = { chip: 'auto', lines: [{ line: 4, bias: 'as-is', activeLow: false, debounceMs: 5 }] } as const;

/** Lines that do what the test says, opening after opening. */
function rig(faults: readonly (string | null)[]) {
  const sinks: LinesSink[] = [];
  let openings = 0;
  let open = 0;
  const watch: WatchLines = async (_request, sink) => {
    const fault = faults[openings++] ?? null;
    if (fault !== null) throw new GpioError(fault);
    sinks.push(sink);
    open += 1;
    return {
      close: async () => {
        open -= 1;
      },
    };
  };
  const source = openGpioSource(request, {
    watch,
    monoNow: () => 42,
    random: () => 0.5,
    retry: { firstMs: 1, maxMs: 4 },
  });
  const stop = new AbortController();
  const inputs: SourceInput[] = [];
  const done = (async () => {
    for await (const input of source.inputs(stop.signal)) inputs.push(input);
  })();
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return { source, sinks, inputs, end, open: () => open };
}

it('gives edges as they come, and closes its lines', async () => {
  const { source, sinks, inputs, end, open } = rig([]);
  await expect.poll(() => inputs.length).toBe(1);
  sinks[0]?.text(Buffer.from('1 4 12.000000005\n'));
  await expect.poll(() => inputs.length).toBe(2);
  expect(inputs[1]).toEqual({ type: 'bytes', bytes: Buffer.from('1 4 12.000000005\n'), atMs: 42 });
  expect(source.name).toBe('gpio auto');
  await end();
  expect(open()).toBe(0);
});

it('says once that a line is held, and that it is open again', async () => {
  const { inputs } = rig(['held', 'held', 'held']);
  await expect.poll(() => inputs).toEqual([{ type: 'failed', reason: 'held' }, { type: 'opened' }]);
});

it('opens again when the chip went away', async () => {
  const { sinks, inputs, open } = rig([null, 'not there']);
  await expect.poll(() => sinks.length).toBe(1);
  sinks[0]?.end('went away');
  await expect.poll(() => inputs.map(({ type }) => type)).toEqual(['opened', 'failed', 'opened']);
  expect(inputs[1]).toEqual({ type: 'failed', reason: 'went away' });
  expect(open()).toBe(1);
});

it('holds at most its limit of edges and counts what it threw away', async () => {
  const { source, sinks, inputs } = rig([]);
  await expect.poll(() => inputs.length).toBe(1);
  const chunk = Buffer.alloc(512 * 1024, '0');
  for (let i = 0; i < 4; i += 1) sinks[0]?.text(chunk);
  expect(source.overrunBytes).toBeGreaterThanOrEqual(chunk.length);
});
