/** The bytes of requests against those that the C compiler makes of the kernel's own header. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  CHIP_INFO_BYTES,
  decodeChipInfo,
  decodeEvents,
  decodeLineInfo,
  encodeLineInfo,
  encodeLineRequest,
  GET_CHIPINFO,
  GET_LINE,
  GET_LINEINFO,
  LINE_EVENT_BYTES,
  LINE_INFO_BYTES,
  LINE_REQUEST_BYTES,
  requestedFd,
  type WatchedLine,
} from '../../../src/agent/source/gpio-abi.ts';
import { ccPath, requireServer } from '../../servers.ts';

const HEADER = '/usr/include/linux/gpio.h';
const PROGRAM = `
#include <linux/gpio.h>
#include <stdio.h>
#include <string.h>
static void hex(const char *name, const void *at, unsigned long bytes) {
  printf("%s ", name);
  for (unsigned long i = 0; i < bytes; i++) printf("%02x", ((const unsigned char *)at)[i]);
  printf("\\n");
}
int main(void) {
  const __u64 edges = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
  unsigned int numbers[] = {GPIO_GET_CHIPINFO_IOCTL, GPIO_V2_GET_LINEINFO_IOCTL, GPIO_V2_GET_LINE_IOCTL};
  hex("ioctls", numbers, sizeof numbers);

  struct gpio_v2_line_request one;
  memset(&one, 0, sizeof one);
  one.offsets[0] = 17;
  strcpy(one.consumer, "collard");
  one.config.flags = edges;
  one.num_lines = 1;
  hex("one", &one, sizeof one);

  struct gpio_v2_line_request many;
  memset(&many, 0, sizeof many);
  many.offsets[0] = 4; many.offsets[1] = 17; many.offsets[2] = 300;
  strcpy(many.consumer, "collard");
  many.config.flags = edges | GPIO_V2_LINE_FLAG_BIAS_PULL_UP | GPIO_V2_LINE_FLAG_ACTIVE_LOW;
  many.config.num_attrs = 4;
  many.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_FLAGS;
  many.config.attrs[0].attr.flags = edges | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN;
  many.config.attrs[0].mask = 2;
  many.config.attrs[1].attr.id = GPIO_V2_LINE_ATTR_ID_FLAGS;
  many.config.attrs[1].attr.flags = edges | GPIO_V2_LINE_FLAG_BIAS_DISABLED;
  many.config.attrs[1].mask = 4;
  many.config.attrs[2].attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE;
  many.config.attrs[2].attr.debounce_period_us = 5000;
  many.config.attrs[2].mask = 5;
  many.config.attrs[3].attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE;
  many.config.attrs[3].attr.debounce_period_us = 500;
  many.config.attrs[3].mask = 2;
  many.num_lines = 3;
  hex("many", &many, sizeof many);
  many.fd = 42;
  hex("answered", &many, sizeof many);

  struct gpiochip_info chip;
  memset(&chip, 0, sizeof chip);
  strcpy(chip.name, "gpiochip0"); strcpy(chip.label, "pinctrl-bcm2711"); chip.lines = 58;
  hex("chip", &chip, sizeof chip);

  struct gpio_v2_line_info line;
  memset(&line, 0, sizeof line);
  line.offset = 17;
  hex("ask", &line, sizeof line);
  strcpy(line.name, "GPIO17"); memset(line.consumer, 'x', sizeof line.consumer); line.flags = GPIO_V2_LINE_FLAG_USED;
  hex("line", &line, sizeof line);

  struct gpio_v2_line_event events[2];
  memset(events, 0, sizeof events);
  events[0].timestamp_ns = 12000000005ull; events[0].id = GPIO_V2_LINE_EVENT_RISING_EDGE; events[0].offset = 17;
  events[1].timestamp_ns = 1ull << 53; events[1].id = GPIO_V2_LINE_EVENT_FALLING_EDGE; events[1].offset = 4;
  hex("events", events, sizeof events);
  return 0;
}
`;

function compiled(): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-gpio-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [source, program] = [join(folder, 'abi.c'), join(folder, 'abi')];
  writeFileSync(source, PROGRAM);
  execFileSync('cc', ['-Wall', '-Werror', '-o', program, source]);
  const lines = execFileSync(program, { encoding: 'utf8' }).trimEnd().split('\n');
  return new Map(lines.map((line) => line.split(' ', 2) as [string, string]));
}

const plain: WatchedLine = { line: 17, bias: 'as-is', activeLow: false, debounceMs: 0 };
const skip = !requireServer('cc', existsSync(HEADER) ? ccPath : null, 'gcc linux-libc-dev');

describe('the GPIO interface', () => {
  it.skipIf(skip)('is that of the kernel header, byte for byte', () => {
    const c = compiled();
    const bytes = (name: string) => Buffer.from(c.get(name) ?? '', 'hex');
    const numbers = Buffer.alloc(12);
    for (const [i, number] of [GET_CHIPINFO, GET_LINEINFO, GET_LINE].entries()) numbers.writeUInt32LE(number, 4 * i);
    expect(numbers.toString('hex')).toBe(c.get('ioctls'));
    expect(encodeLineRequest([plain], 'collard').toString('hex')).toBe(c.get('one'));
    const many: WatchedLine[] = [
      { line: 4, bias: 'pull-up', activeLow: true, debounceMs: 5 },
      { line: 17, bias: 'pull-down', activeLow: false, debounceMs: 0.5 },
      { line: 300, bias: 'disabled', activeLow: false, debounceMs: 5 },
    ];
    expect(encodeLineRequest(many, 'collard').toString('hex')).toBe(c.get('many'));
    expect(requestedFd(bytes('answered'))).toBe(42);
    expect(bytes('chip').length).toBe(CHIP_INFO_BYTES);
    expect(decodeChipInfo(bytes('chip'))).toEqual({ name: 'gpiochip0', label: 'pinctrl-bcm2711', lines: 58 });
    expect(encodeLineInfo(17).toString('hex')).toBe(c.get('ask'));
    expect(bytes('line').length).toBe(LINE_INFO_BYTES);
    expect(decodeLineInfo(bytes('line'))).toEqual({ used: true, consumer: 'x'.repeat(32) });
    expect(bytes('events').length).toBe(2 * LINE_EVENT_BYTES);
    expect(decodeEvents(bytes('events'))).toEqual([
      { timestampNs: 12_000_000_005n, rising: true, line: 17 },
      { timestampNs: 2n ** 53n, rising: false, line: 4 },
    ]);
  });

  it('takes a consumer of any length, and lines up to its limit', () => {
    const lines = Array.from({ length: 64 }, (_, line) => ({ ...plain, line, debounceMs: 5 }));
    expect(encodeLineRequest(lines, 'c'.repeat(80)).length).toBe(LINE_REQUEST_BYTES);
    expect(() => encodeLineRequest([...lines, plain], 'c')).toThrow('too many different settings');
    const different = Array.from({ length: 11 }, (_, i) => ({ ...plain, line: i, debounceMs: i + 1 }));
    expect(() => encodeLineRequest(different, 'c')).toThrow('too many different settings');
  });
});
