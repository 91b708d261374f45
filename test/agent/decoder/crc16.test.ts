import { expect, it } from 'vitest';
import { crc16 } from '../../../src/agent/decoder/crc16.ts';

it('gives the published check value of CRC-16/CCITT-FALSE', () => {
  expect(crc16(Buffer.from('123456789'), 9)).toBe(0x29b1);
});

it('starts at 0xFFFF and counts only the first bytes', () => {
  expect(crc16(Buffer.from('x'), 0)).toBe(0xffff);
});
