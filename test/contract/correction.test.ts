import { describe, expect, it } from 'vitest';
import { correctionOf, mayCorrect, orderKey } from '../../src/contract/correction.ts';
import { EPOCH, meow } from './arbitrary.ts';

const OLDER = '01a20866-068a-70da-b9ee-759f41bde6a8';
const event = (type: string, data: object) => ({ ...meow, type: `collard.${type}`, data: JSON.stringify(data) });
const place = (agent: string, epoch: string, seq: number) => ({ agent, epoch, seq });

describe('a correction', () => {
  it('takes an event back or gives it to a cat', () => {
    const target = { epoch: EPOCH, seq: 4, reason: 'a dog' };
    expect(correctionOf(event('event.revoked', target))).toEqual({ ...target, catId: null });
    expect(correctionOf(event('event.reassigned', { ...target, catId: 2 }))).toEqual({ ...target, catId: 2 });
    expect(correctionOf(meow)).toBeNull();
  });

  it.each([
    ['no number of an event', 'event.revoked', { epoch: EPOCH, seq: 0.5, reason: '' }],
    ['no number of a cat', 'event.reassigned', { epoch: EPOCH, seq: 1, catId: 0, reason: '' }],
    ['no cat', 'event.reassigned', { epoch: EPOCH, seq: 1, reason: '' }],
    ['no reason', 'event.revoked', { epoch: EPOCH, seq: 1 }],
  ])('with %s is none', (_what, type, data) => {
    expect(correctionOf(event(type, data))).toBeNull();
  });

  it('of a newer version is none before this program knows it', () => {
    expect(correctionOf({ ...event('event.revoked', { epoch: EPOCH, seq: 1, reason: '' }), version: 2 })).toBeNull();
  });

  it.each([
    ['its agent, of an event before', place('porch', EPOCH, 5), place('porch', EPOCH, 4), true],
    ['its agent, of itself', place('porch', EPOCH, 5), place('porch', EPOCH, 5), false],
    ['its agent, of an event to come', place('porch', EPOCH, 5), place('porch', EPOCH, 6), false],
    ['its agent, of an older log', place('porch', EPOCH, 1), place('porch', OLDER, 900), true],
    ['its agent, of a newer log', place('porch', OLDER, 900), place('porch', EPOCH, 1), false],
    ['another agent', place('porch', EPOCH, 5), place('shed', OLDER, 4), false],
    ['central, of any agent', place('central', OLDER, 1), place('porch', EPOCH, 900), true],
    ['an agent, of central', place('porch', EPOCH, 5), place('central', OLDER, 1), false],
    ['central, of itself before', place('central', EPOCH, 5), place('central', EPOCH, 4), true],
    ['central, of itself to come', place('central', EPOCH, 5), place('central', EPOCH, 6), false],
  ])('by %s', (_what, by, target, may) => {
    expect(mayCorrect(by, target, { catId: null })).toBe(may);
    // To give it to a cat is for people to do.
    expect(mayCorrect(by, target, { catId: 1 })).toBe(may && by.agent === 'central');
  });

  it('comes in an order of its own', () => {
    const keys = [
      orderKey({ time: '2026-11-23T06:14:09.842Z', agent: 'a', epoch: EPOCH, seq: 9 }),
      orderKey({ time: '2026-11-23T06:14:09.842Z', agent: 'a', epoch: EPOCH, seq: 10 }),
      orderKey({ time: '2026-11-23T06:14:09.842Z', agent: 'a-b', epoch: OLDER, seq: 1 }),
      orderKey({ time: '2026-11-23T06:14:09.843Z', agent: 'a', epoch: OLDER, seq: 1 }),
    ];
    expect([...keys].sort()).toEqual(keys);
  });
});
