import { describe, expect, it } from 'vitest';
import { fullBatches } from '../../../src/agent/publisher/batch-limit.ts';
import {
  change,
  type EpochPlan,
  type Flight,
  flying,
  givenUpTo,
  isSent,
  isStuck,
  isWaiting,
  land,
  type Plan,
  sendAgain,
  sentToo,
} from '../../../src/agent/publisher/plan-state.ts';

const epoch = (of: Partial<EpochPlan> = {}): EpochPlan => ({
  ...{ epoch: 'e', firstSeq: 1, lastSeq: 20, mark: 5, open: true, liveNext: 21 },
  ...{ todo: [], sent: [], tells: [], hole: 0, gone: [], untold: [], skipped: [], syncDue: false, question: null },
  ...{ askedAt: 0, doubt: false, doubtedAt: 0, progressAt: 0, disowned: false, came: [], again: 0, anew: false },
  ...of,
});
const flight = (id: number, from: number, to: number, of = 'e'): Flight => ({
  ...{ id, epoch: of, lane: 'events', from, to, at: 0 },
});
const planOf = (epochs: readonly EpochPlan[], flights: readonly Flight[] = []): Plan => ({
  ...{ epochs, flights, nextFlight: 9, refusals: 0, pausedUntil: 0, ackedAt: 0, progressAt: 0, limit: fullBatches(20) },
});

describe('an epoch that waits', () => {
  it.each([
    [{ mark: 19 }, true],
    [{ mark: 20 }, false],
    [{ mark: 0, lastSeq: 0 }, false],
    [{ mark: 19, disowned: true }, false],
  ])('%j: %s', (of, waits) => expect(isWaiting(epoch(of))).toBe(waits));
});

it.each([
  [null, false],
  [{ epoch: 'e', seq: 6, bytes: 1 }, true],
  [{ epoch: 'e', seq: 5, bytes: 1 }, false],
  [{ epoch: 'f', seq: 6, bytes: 1 }, false],
])('an epoch is stuck where one of its events above the mark is: %j', (stuck, is) => {
  const plan = { ...planOf([epoch()]), limit: { ...fullBatches(20), stuck } };
  expect(isStuck(plan, epoch())).toBe(is);
});

describe('a disowned epoch', () => {
  it.each<[Partial<EpochPlan>, number]>([
    [{}, 20],
    [{ skipped: [[8, 9]] }, 7],
    [
      {
        skipped: [
          [12, 12],
          [15, 15],
        ],
      },
      11,
    ],
    [{ skipped: [[30, 30]] }, 20],
  ])('%j is done up to %d', (of, to) => expect(givenUpTo(epoch(of))).toBe(to));

  const disowned = { disowned: true };
  it.each<[string, Partial<EpochPlan>, readonly Flight[], boolean]>([
    ['nothing is left of it', disowned, [], true],
    ['another one flies', disowned, [flight(1, 1, 2, 'f')], true],
    ['it is not disowned', {}, [], false],
    ['backlog is left', { ...disowned, todo: [[3, 4]] }, [], false],
    ['it was not opened', { ...disowned, open: false }, [], false],
    ['the newest was not taken', { ...disowned, liveNext: 20 }, [], false],
    ['some of it flies', { ...disowned }, [flight(1, 20, 20)], false],
    ['it is done', { ...disowned, mark: 20 }, [], false],
    ['it is done but for what is too large', { ...disowned, mark: 7, skipped: [[8, 9]] }, [], false],
    ['it is not done before what is too large', { ...disowned, mark: 6, skipped: [[8, 9]] }, [], true],
  ])('was sent and is to be asked for where %s', (_, of, flights, sent) => {
    const one = epoch(of);
    expect(isSent(planOf([one], flights), one)).toBe(sent);
  });

  it('sends again what the broker may have dropped, but for what is confirmed or too large, and asks anew', () => {
    const question = { at: 1, lastSeq: 20, sent: [], gone: [] };
    const before = epoch({ todo: [[19, 20]], sent: [[2, 12]], skipped: [[8, 9]], question, syncDue: true });
    expect(sendAgain(before)).toEqual({
      ...before,
      todo: [
        [6, 7],
        [10, 12],
        [19, 20],
      ],
      sent: [
        [2, 5],
        [8, 9],
      ],
      question: null,
      syncDue: false,
    });
    expect(sendAgain(epoch({ sent: [[15, 30]] }))).toMatchObject({ todo: [[15, 20]], sent: [[21, 30]] });
  });
});

describe('what was sent', () => {
  it('is noted behind the mark, and no further than the epoch goes', () => {
    expect(sentToo(epoch({ sent: [[12, 13]] }), [[4, 11]]).sent).toEqual([[6, 13]]);
    expect(sentToo(epoch(), [[1, 5]]).sent).toEqual([]);
    expect(sentToo(epoch(), [[19, 25]]).sent).toEqual([[19, 20]]);
  });
});

describe('flights', () => {
  const plan = planOf(
    [epoch(), epoch({ epoch: 'f' })],
    [flight(1, 3, 4), flight(2, 5, 9), flight(3, 1, 2, 'f'), flight(4, 12, 12)],
  );

  it('are told by epoch', () => {
    expect(flying(plan, 'e')).toEqual([
      [3, 9],
      [12, 12],
    ]);
    expect(flying(plan, 'f')).toEqual([[1, 2]]);
    expect(flying(plan, 'g')).toEqual([]);
  });

  it('land once, each in its own epoch, and the others fly on', () => {
    const landed = land(plan, 2, (e, range) => ({ ...e, sent: range }));
    expect(landed.flights.map(({ id }) => id)).toEqual([1, 3, 4]);
    expect(landed.epochs.map(({ sent }) => sent)).toEqual([[[5, 9]], []]);
    const other = land(landed, 3, (e, range) => ({ ...e, sent: range }));
    expect(other.epochs.map(({ sent }) => sent)).toEqual([[[5, 9]], [[1, 2]]]);
    expect(land(landed, 2, () => expect.unreachable())).toBe(landed);
  });

  it('are none of the epochs, which change by name', () => {
    const changed = change(plan, 'f', (e) => ({ ...e, mark: 11 }));
    expect(changed.epochs.map(({ mark }) => mark)).toEqual([5, 11]);
    expect(changed.flights).toBe(plan.flights);
    expect(change(plan, 'g', () => expect.unreachable()).epochs).toEqual(plan.epochs);
  });
});
