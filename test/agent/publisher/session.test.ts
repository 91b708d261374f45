import { describe, expect, test } from 'vitest';
import { REQUEST_LIMIT } from '../../../src/agent/publisher/session.ts';
import { encodeBatch } from '../../../src/contract/envelope.ts';
import type { HealthMessage } from '../../../src/contract/message.ts';
import { provesBatch, provesSync } from '../../../src/contract/signature.ts';
import { newKey } from '../../contract/signing.ts';
import { event, levels } from '../log/log-fixture.ts';
import { startSession } from './session-rig.ts';

const request = (n: number) => ({ type: 'request', verb: 'epochs', body: { transaction: `t${n}` } }) as const;

describe('a link', () => {
  test('begins with the question what central holds; live events do not wait for the answer, backlog does', async () => {
    const { log, epoch, syncs, names, settled, stored } = await startSession({ events: 25 });
    await settled();
    const chain = await log.chainAt(epoch, 25);
    expect([syncs, names()]).toEqual([[{ epoch, firstSeq: 1, lastSeq: 25, chain }], []]);
    await log.append(levels(2));
    await settled();
    expect(names()).toEqual(['events 26-27']);
    await stored(10);
    expect(names()).toEqual(['events 26-27', 'backlog 11-20', 'backlog 21-25']);
  });

  test('ends with what the broker says, or simply so, and without a reason when the agent stops', async () => {
    const failed = await startSession();
    failed.endLink(new Error('the broker has gone'));
    expect(await failed.done).toBe('the broker has gone');
    const closed = await startSession();
    closed.endLink(null);
    expect(await closed.done).toBe('closed');
    const stopped = await startSession();
    expect(await stopped.stop()).toBeNull();
  });

  test('ends when the broker acknowledges nothing for too long', async () => {
    const { clock, stored, settled, done, names } = await startSession({ events: 5, acks: false });
    await stored(0);
    expect(names()).toEqual(['backlog 1-5']);
    clock.nowMs += 5_999;
    await settled();
    clock.nowMs += 1;
    expect(await done).toBe('the broker has acknowledged nothing for 6000 ms');
  });

  test('ends when central is there and confirms nothing for too long', async () => {
    const { clock, stored, done } = await startSession({ events: 5 });
    await stored(0);
    clock.nowMs += 6_000;
    expect(await done).toBe('central has confirmed nothing for 6000 ms');
  });

  test('ends when central has said nothing at all: it may be dead in one direction', async () => {
    const { clock, settled, done } = await startSession({ events: 5 });
    await settled();
    clock.nowMs += 6_000;
    expect(await done).toBe('central does not answer: events stay in the log until it does');
  });

  test('stays when central itself says that it is away, which is told once', async () => {
    const { clock, hear, settled, texts, stop } = await startSession({ events: 5 });
    hear({ type: 'central', online: false, fresh: false });
    await settled();
    clock.nowMs += 6_000;
    await settled();
    const away = texts().filter((text) => text === 'central does not answer: events stay in the log until it does');
    expect(away).toHaveLength(1);
    expect(await stop()).toBeNull();
  });

  test('ends when central is away from here and there are other brokers', async () => {
    const { clock, hear, settled, done } = await startSession({ events: 5, elsewhere: true });
    hear({ type: 'central', online: false, fresh: false });
    await settled();
    clock.nowMs += 6_000;
    expect(await done).toBe('central does not answer: events stay in the log until it does');
  });

  test('ends also while an answer is on its way that the broker never acknowledges', async () => {
    const { clock, hear, stored, settled, done, answers } = await startSession({
      events: 5,
      acks: false,
      respond: () => new Promise(() => undefined),
    });
    hear(request(1));
    await stored(0);
    await settled();
    expect(answers).toHaveLength(1);
    clock.nowMs += 6_000;
    expect(await done).toBe('the broker has acknowledged nothing for 6000 ms');
  });

  test('ends with the error of the log', async () => {
    const broken = Object.assign(new Error('damaged'), { code: 'SQLITE_CORRUPT' });
    const rig = await startSession({
      events: 5,
      prepare: (log) => Object.assign(log, { chainAt: () => Promise.reject(broken) }),
    });
    await expect(rig.done).rejects.toBe(broken);
  });
});

describe('a question', () => {
  test('is put again when its time has come, and not while the last one is on its way to the broker', async () => {
    let asked: () => void = () => undefined;
    const held = new Promise<{ ok: true }>((resolve) => {
      asked = () => resolve({ ok: true });
    });
    const { clock, syncs, settled } = await startSession({ events: 5, publishSync: () => held });
    await settled();
    clock.nowMs += 1_000;
    await settled();
    expect(syncs).toHaveLength(1);
    asked();
    await settled();
    clock.nowMs += 1_000;
    await settled();
    expect(syncs).toHaveLength(2);
  });

  test('that the link loses is put again all the same', async () => {
    const lost = () => Promise.reject(new Error('link ended'));
    const { clock, syncs, settled } = await startSession({ events: 5, publishSync: lost });
    await settled();
    clock.nowMs += 1_000;
    await settled();
    expect(syncs).toHaveLength(2);
  });

  test('about an epoch that has just left the log is none', async () => {
    const { syncs, settled, epoch } = await startSession({
      events: 5,
      async prepare(log) {
        const old = { epoch: '01a20867-068a-70da-b9ee-759f41bde6a8', firstSeq: 1, lastSeq: 5, storedSeq: 0 };
        const [heads, chainAt] = [log.epochs.bind(log), log.chainAt.bind(log)];
        let isHeld = true;
        log.epochs = () => (isHeld ? [...heads().map((head) => ({ ...head })), old] : heads());
        log.chainAt = async (one, seq) => {
          isHeld = false;
          return chainAt(one, seq);
        };
      },
    });
    await settled();
    expect(syncs.map((sync) => sync.epoch)).toEqual([epoch]);
  });

  test('whose chain the log does not know any more is none, and nothing breaks', async () => {
    const { syncs, settled, names, stored } = await startSession({
      events: 5,
      prepare(log) {
        const chainAt = log.chainAt.bind(log);
        let first = true;
        log.chainAt = async (epoch, seq) => {
          const chain = first ? null : await chainAt(epoch, seq);
          first = false;
          return chain;
        };
      },
    });
    await settled();
    expect(syncs).toEqual([]);
    await stored(2);
    expect(names()).toEqual(['backlog 3-5']);
  });
});

describe('a batch', () => {
  test('that is acknowledged clears the trouble and is counted', async () => {
    const { sent, status, stored, settled } = await startSession({ events: 25, acks: false });
    await stored(0);
    status.lastError = 'trouble';
    sent[0]?.ack();
    await settled();
    expect([status.acknowledged, status.lastError]).toEqual([1, null]);
  });

  test('that the broker refuses stays, is tried again after a pause, and told once a minute', async () => {
    const { sent, status, clock, lines, names, stored, settled } = await startSession({
      events: 5,
      acks: false,
      rules: { stalledAfterMs: 1e9 },
    });
    await stored(0);
    const refused = { ok: false, reasonCode: 0x87, reason: 'not authorized' } as const;
    const told = () => lines.filter(({ text }) => text.includes('does not pass our events on'));
    sent[0]?.ack(refused);
    await settled();
    expect([status.refusals, status.lastError]).toEqual([1, 'the broker does not pass our events on (not authorized)']);
    expect(told()).toEqual([
      {
        level: 'warn',
        fields: { reason: 'not authorized' },
        text: 'the broker does not pass our events on (not authorized): they stay in the log',
      },
    ]);
    clock.nowMs += 499;
    await settled();
    expect(names()).toEqual(['backlog 1-5']);
    for (const [ms, count] of [
      [1, 1],
      [59_499, 1],
      [2_000, 2],
    ] as const) {
      clock.nowMs += ms;
      await settled();
      sent.at(-1)?.ack(refused);
      await settled();
      expect(told()).toHaveLength(count);
    }
    expect(status.refusals).toBe(4);
    expect(names()).toEqual(Array.from({ length: 4 }, () => 'backlog 1-5'));
  });

  test('that the broker refuses for its size is halved until it fits, which is told once; an event alone is left out', async () => {
    const rig = await startSession({ events: 8, acks: false, rules: { stalledAfterMs: 1e9 } });
    const { epoch, sent, status, lines, names, texts, stored, settled } = rig;
    await stored(0);
    const refused = { ok: false, reasonCode: 0x95, reason: 'Packet too large' } as const;
    const answer = async (name: string, fits: boolean) => {
      sent
        .filter((one) => one.name === `backlog ${name}`)
        .at(-1)
        ?.ack(fits ? undefined : refused);
      await settled();
    };
    await answer('1-8', false);
    expect(names().slice(1)).toEqual(['backlog 1-4', 'backlog 5-8']);
    await answer('1-4', false);
    expect(names().slice(3)).toEqual(['backlog 1-2', 'backlog 3-4']);
    expect(lines).toEqual([]);
    await answer('1-2', true);
    const bytes = encodeBatch(sent[1]?.batch ?? { agent: '', events: [], chain: new Uint8Array(32) }).length;
    const text = `the broker seems to drop messages above ${bytes} bytes: raise its message_size_limit (mosquitto) or set forward.batchEvents lower`;
    expect(lines).toEqual([{ level: 'warn', fields: { bytes }, text }]);
    await answer('3-4', false);
    await answer('3-3', false);
    await answer('4-4', true);
    await answer('5-8', true);
    expect(texts().slice(1)).toEqual([expect.stringMatching(`^event ${epoch}/3 .*is larger than the broker takes`)]);
    expect([status.oversize, status.refusals]).toEqual([1, 4]);
  });

  test('whose link ends is left to the next link', async () => {
    const { sent, status, names, stored, settled } = await startSession({ events: 5, acks: false });
    await stored(0);
    sent[0]?.lose();
    await settled();
    expect([names(), status.acknowledged, status.refusals]).toEqual([['backlog 1-5'], 0, 0]);
  });

  test('of which the log has lost all is passed over', async () => {
    const { log, marks, names, settled } = await startSession({
      events: 5,
      rules: { confirm: 'broker' },
      prepare: (log) => Object.assign(log, { read: async () => [] }),
    });
    await settled();
    expect([names(), marks, log.epochs()[0]?.storedSeq]).toEqual([[], [[5, 'broker']], 5]);
  });

  test('ends before a hole in the log, and what follows the hole is another', async () => {
    const { names, stored } = await startSession({
      events: 8,
      prepare(log) {
        const read = log.read.bind(log);
        log.read = async (...args) => (await read(...args)).filter(({ seq }) => seq !== 4);
      },
    });
    await stored(0);
    expect(names()).toEqual(['backlog 1-3', 'backlog 5-8']);
  });

  test('whose chain has just been trimmed is read again a moment later', async () => {
    const { clock, names, stored, settled } = await startSession({
      events: 5,
      prepare(log) {
        const chainAt = log.chainAt.bind(log);
        let calls = 0;
        log.chainAt = async (epoch, seq) => (++calls === 4 ? null : chainAt(epoch, seq));
      },
    });
    await stored(0);
    expect(names()).toEqual([]);
    clock.nowMs += 100;
    await settled();
    expect(names()).toEqual(['backlog 1-5']);
  });

  test('is signed as a whole, and so is a question', async () => {
    const key = newKey();
    const { sent, syncs, stored } = await startSession({ events: 25, key });
    await stored(10);
    expect(sent.map(({ batch }) => batch.proof && provesBatch(key.publicKey, batch, batch.proof))).toEqual([
      true,
      true,
    ]);
    const [sync] = syncs;
    expect(sync?.proof && provesSync('porch', sync, sync.proof)).toBe(true);
  });

  test('that cannot be signed because the chain before it is gone waits; it does not go out unsigned', async () => {
    const { clock, names, sent, stored, settled } = await startSession({
      events: 25,
      key: newKey(),
      prepare(log) {
        const chainAt = log.chainAt.bind(log);
        let calls = 0;
        log.chainAt = async (epoch, seq) => (seq === 20 && ++calls === 2 ? null : chainAt(epoch, seq));
      },
    });
    await stored(10);
    expect(names()).toEqual(['backlog 11-20']);
    clock.nowMs += 100;
    await settled();
    expect(names()).toEqual(['backlog 11-20', 'backlog 21-25']);
    expect(sent.map(({ batch }) => batch.proof === undefined)).toEqual([false, false]);
  });

  test('that would be larger than the broker takes is cut, and an event that is too large alone is told', async () => {
    const { log, epoch, status, lines, names, stored, settled } = await startSession({
      events: 3,
      maxBatchBytes: 1_500,
    });
    await log.append([event('sensor.failed', { source: 'usb', reason: 'x'.repeat(5_000) }), ...levels(1)]);
    await stored(0);
    await settled();
    expect(names().toSorted()).toEqual(['backlog 1-3', 'events 5-5']);
    expect([status.oversize, lines]).toEqual([
      1,
      [
        {
          level: 'warn',
          fields: {},
          text: `event ${epoch}/4 is larger than the broker takes (1500 bytes): raise its limit`,
        },
      ],
    ]);
  });

  test('moves the mark by itself where the word of the broker is enough, and only forward', async () => {
    const { log, sent, marks, status, settled } = await startSession({
      events: 25,
      acks: false,
      rules: { confirm: 'broker' },
    });
    await settled();
    sent[1]?.ack();
    await settled();
    expect(marks).toEqual([]);
    sent[0]?.ack();
    await settled();
    expect([marks, status.lastConfirmed]).toEqual([[[20, 'broker']], '1970-01-01T00:16:40.000Z']);
    sent[2]?.ack();
    await settled();
    expect(log.epochs()[0]?.storedSeq).toBe(25);
    expect(marks).toEqual([
      [20, 'broker'],
      [25, 'broker'],
    ]);
  });
});

describe('what is heard', () => {
  test('is told once where it is not understood', async () => {
    const { hear, lines, settled } = await startSession();
    for (const topic of ['a', 'a', 'b']) hear({ type: 'ignored', topic, reason: 'unreadable message' });
    await settled();
    expect(lines.map(({ level, text }) => [level, text])).toEqual([
      ['warn', 'unreadable message on a'],
      ['warn', 'unreadable message on b'],
    ]);
  });

  test('is told up to a limit, however many topics a stranger makes up', async () => {
    const { hear, lines, settled } = await startSession();
    for (let i = 0; i < 150; i += 1) hear({ type: 'ignored', topic: `t${i}`, reason: 'unreadable message' });
    await settled();
    expect(lines).toHaveLength(100);
  });

  test('as a request is answered in its turn', async () => {
    const { hear, answers, settled } = await startSession();
    hear(request(1), { type: 'request', verb: 'dance', body: {} });
    await settled();
    expect(answers).toMatchObject([
      ['epochs', { transaction: 't1', status: 'ok' }],
      ['dance', { status: 'error' }],
    ]);
  });

  test('as more requests than can wait is dropped and told once', async () => {
    let answer: () => void = () => undefined;
    const slow = new Promise<HealthMessage>((resolve) => {
      answer = () => resolve({} as HealthMessage);
    });
    const { hear, answers, texts, settled } = await startSession({ health: () => slow });
    hear({ type: 'request', verb: 'health', body: {} });
    await settled();
    hear(...Array.from({ length: REQUEST_LIMIT + 3 }, (_, i) => request(i)));
    await settled();
    answer();
    await expect.poll(() => answers.length).toBe(REQUEST_LIMIT + 1);
    expect(texts()).toEqual(['more requests than can be answered: some are dropped']);
  });
});

describe('health', () => {
  test('goes out at once, each minute, and when a stall begins and ends', async () => {
    const { clock, healths, hear, lines, stored, settled } = await startSession({ events: 5 });
    hear({ type: 'central', online: false, fresh: false });
    await expect.poll(() => healths.length).toBe(1);
    clock.nowMs += 6_000;
    await expect.poll(() => healths.map(({ stalled }) => stalled)).toEqual([false, true]);
    await stored(5);
    await expect.poll(() => healths.map(({ stalled }) => stalled)).toEqual([false, true, false]);
    const told = lines.filter(({ text }) => text.startsWith('the backlog'));
    expect(told).toEqual([
      { level: 'warn', fields: { queue: 5 }, text: 'the backlog is stalled' },
      { level: 'warn', fields: { queue: 0 }, text: 'the backlog moves again' },
    ]);
    clock.nowMs += 59_999;
    await settled();
    await settled();
    expect(healths).toHaveLength(3);
    clock.nowMs += 1;
    await expect.poll(() => healths.length).toBe(4);
  });

  test('goes out at once when central holds another history', async () => {
    const { healths, status, settled } = await startSession();
    await expect.poll(() => healths.length).toBe(1);
    status.conflicting = true;
    await expect.poll(() => healths.length).toBe(2);
    await settled();
  });
});
