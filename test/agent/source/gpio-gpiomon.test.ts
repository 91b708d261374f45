/** Scripted programs that behave as gpiomon of libgpiod 1.6.3 (Debian 12) and 2.2.1 (Debian 13) do. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WatchedLine } from '../../../src/agent/source/gpio-abi.ts';
import { watchGpiomonLines } from '../../../src/agent/source/gpio-gpiomon.ts';

const line = (number: number, over: Partial<WatchedLine> = {}): WatchedLine => ({
  line: number,
  bias: 'as-is',
  activeLow: false,
  debounceMs: 5,
  ...over,
});

function programs(version: 1 | 2, body: string) {
  const folder = mkdtempSync(join(tmpdir(), 'collard-gpiomon-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, script: string) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const told = version === 1 ? 'gpiomon (libgpiod) v1.6.3' : 'gpiomon (libgpiod) v2.2.1';
  const calls = join(folder, 'calls');
  return {
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().split('\n').sort() : []),
    programs: {
      gpiodetect: write(
        'gpiodetect',
        "echo 'gpiochip0 [raspberrypi-exp-gpio] (8 lines)'; echo 'gpiochip4 [pinctrl-rp1] (54 lines)'",
      ),
      gpiomon: write(
        'gpiomon',
        `[ "$1" = --version ] && { echo '${told}'; exit 0; }\necho "$*" >> '${calls}'\n${body}`,
      ),
      settledMs: 150,
    },
  };
}

function sink() {
  const said = { text: '', ends: [] as string[] };
  return {
    said,
    text: (bytes: Buffer) => {
      said.text += bytes.toString();
    },
    end: (reason: string) => void said.ends.push(reason),
  };
}

describe('lines by gpiomon', () => {
  it('1.6: names the chip in its place, asks for seconds and nanoseconds, and knows no debounce', async () => {
    const { programs: own, calls } = programs(1, "echo '1 4 12 5'; exec sleep 60");
    const to = sink();
    const open = await watchGpiomonLines(own)(
      { chip: 'auto', lines: [line(4), line(5), line(17, { bias: 'disabled', activeLow: true })] },
      to,
    );
    expect(calls()).toEqual([
      '--format=%e %o %s %n --line-buffered --bias=disable --active-low gpiochip4 17',
      '--format=%e %o %s %n --line-buffered gpiochip4 4 5',
    ]);
    expect(to.said.text).toBe('1 4 12 5\n1 4 12 5\n');
    await open.close();
    expect(to.said.ends).toEqual([]);
  });

  it('2.x: names the chip by an option, on the monotonic clock, debounced', async () => {
    const { programs: own, calls } = programs(2, "echo '2 4 12.000000005'; exec sleep 60");
    const to = sink();
    const lines = [line(4), line(17, { bias: 'disabled', activeLow: true, debounceMs: 0 })];
    const open = await watchGpiomonLines(own)({ chip: 'pinctrl-rp1', lines }, to);
    expect(calls()).toEqual([
      '--chip gpiochip4 --event-clock monotonic --format %e %o %S --bias disabled --active-low 17',
      '--chip gpiochip4 --event-clock monotonic --format %e %o %S --debounce-period 5000us 4',
    ]);
    expect(to.said.text).toBe('2 4 12.000000005\n2 4 12.000000005\n');
    await open.close();
  });

  it('says why it ended at once, with what to look at', async () => {
    const body = "echo 'gpiomon: error requesting lines: Device or resource busy' >&2; exit 1";
    const watching = watchGpiomonLines(programs(2, body).programs)({ chip: 'auto', lines: [line(4)] }, sink());
    await expect(watching).rejects.toThrow(
      'cannot be had (gpiomon ended with 1: gpiomon: error requesting lines: Device or resource busy): a line that another',
    );
  });

  it('ends the others when one cannot be had', async () => {
    const body = 'case "$*" in *17*) exit 1;; esac; exec sleep 60';
    const { programs: own } = programs(2, body);
    const lines = [line(4), line(17, { bias: 'pull-up' })];
    await expect(watchGpiomonLines(own)({ chip: 'auto', lines }, sink())).rejects.toThrow('gpiomon ended with 1');
  });

  it('tells that the chip went away', async () => {
    const { programs: own } = programs(
      2,
      "sleep 0.4; echo 'gpiomon: error reading line events: No such device' >&2; exit 1",
    );
    const to = sink();
    const open = await watchGpiomonLines(own)({ chip: 'auto', lines: [line(4)] }, to);
    await expect
      .poll(() => to.said.ends)
      .toEqual(['pinctrl-rp1: gpiomon ended with 1: gpiomon: error reading line events: No such device']);
    await open.close();
  });

  it('names the package where there is no gpiomon', async () => {
    const missing = { gpiomon: '/nonexistent/gpiomon', gpiodetect: '/nonexistent/gpiodetect', settledMs: 100 };
    const watching = watchGpiomonLines(missing)({ chip: 'auto', lines: [line(4)] }, sink());
    await expect(watching).rejects.toThrow('cannot be run (ENOENT): sudo apt-get install gpiod');
  });
});
