import { expect, onTestFinished, test } from 'vitest';
import { ANSWER_MS } from '../../src/central/ask-live.ts';
import { ASK_EVERY_MS, createLookOn, MAX_LOOKS, UNASKED_MS } from '../../src/central/look-on.ts';
import { encodeCompared } from '../../src/contract/compare.ts';
import { encodeLive, type LiveTrace } from '../../src/contract/live.ts';
import { parseObject } from '../../src/contract/message.ts';
import { requestTopic, responseTopic } from '../../src/contract/topic.ts';
import { type MqttLink, type OpenLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { aborted } from '../../src/lib/wait.ts';
import { ONE_MORE } from '../contract/compared.ts';
import { startBroker, until } from './broker.ts';

const base = 'collard/v1';
const never = new AbortController().signal;
const options = { username: undefined, password: undefined, ca: undefined, cert: undefined, key: undefined };
const timing = { keepaliveSeconds: 30, connectTimeoutMs: 30_000 };

const traceOf = (collar: string, nowMs: number, columns: readonly number[]): LiveTrace => ({
  collar,
  nowMs,
  measure: 'acceleration',
  borders: { onOdds: 2, offOdds: 0, level: 0.25 },
  columns: columns.map((no) => ({ no, level: 0.5, odds: 1, shaking: false })),
  bursts: [],
  rateHz: 50,
  restG: 1,
  warnings: [],
});

/** A real broker, the part of central, and agents as a test scripts them. */
async function rig(openLink: OpenLink = openMqttLink) {
  const broker = await startBroker();
  let monoMs = 0;
  const links: MqttLink[] = [];
  const warnings: object[] = [];
  const lookOn = createLookOn({
    openLink: async (wanted, signal) => {
      const link = await openLink(wanted, signal);
      links.push(link);
      return link;
    },
    link: { ...options, ...timing, url: broker.url },
    base,
    group: 'central',
    logger: { warn: ((fields: object) => void warnings.push(fields)) as never },
    monoNow: () => monoMs,
    random: () => 0.5,
  });
  const stop = new AbortController();
  const done = lookOn.run(stop.signal);
  const agents: MqttLink[] = [];
  onTestFinished(async () => {
    stop.abort();
    await done;
    for (const link of agents) await link.close();
    await broker.close();
  });
  const agent = async (name: string, answer: (body: Record<string, unknown>) => object | null, as = name) => {
    const asked: Record<string, unknown>[] = [];
    const link = await openMqttLink(
      {
        ...options,
        ...timing,
        url: broker.url,
        clientId: `agent-${name}`,
        cleanStart: true,
        sessionExpirySeconds: 0,
        incomingLimit: 10,
      },
      never,
    );
    agents.push(link);
    await link.subscribe([requestTopic(base, name, '+')]);
    void (async () => {
      for (;;) {
        const messages = await link.incoming.takeUpTo(10, stop.signal);
        if (messages.length === 0) return;
        for (const message of messages) {
          message.done();
          const body = parseObject(message.payload) ?? {};
          asked.push(body);
          const said = answer(body);
          if (said === null) continue;
          const text = JSON.stringify({ transaction: body.transaction, status: 'ok', ...said });
          const verb = message.topic.split('/').at(-1) ?? '';
          await link.publish(responseTopic(base, as, verb), text, { qos: 0, retain: false });
        }
      }
    })();
    return asked;
  };
  const pass = (ms: number) => {
    monoMs += ms;
  };
  return { lookOn, agent, links, warnings, pass };
}

test('an agent is asked, and what it says is joined to a minute; what got lost comes with the next answer', async () => {
  const { lookOn, agent, pass } = await rig();
  const minutes = [
    [100_000, [398, 399]],
    [101_000, [399, 400, 401, 402, 403]],
  ] as const;
  let no = 0;
  const asked = await agent('porch', () => {
    const [nowMs, columns] = minutes[no++] ?? minutes[1];
    return encodeLive(traceOf('C1', nowMs, columns));
  });
  expect(await lookOn.look('porch', 'C1')).toEqual(traceOf('C1', 100_000, [398, 399]));
  pass(ASK_EVERY_MS);
  expect((await lookOn.look('porch', 'C1')).columns.map((one) => one.no)).toEqual([398, 399, 400, 401, 402, 403]);
  expect(asked.map(({ collar, from }) => [collar, from])).toEqual([
    ['C1', 0],
    ['C1', 399],
  ]);
});

test('however many look, an agent is asked once a second', async () => {
  const { lookOn, agent, pass } = await rig();
  const asked = await agent('porch', () => encodeLive(traceOf('C1', 1_000, [3])));
  await Promise.all([1, 2, 3].map(() => lookOn.look('porch', 'C1')));
  pass(ASK_EVERY_MS - 1);
  await lookOn.look('porch', 'C1');
  expect(asked).toHaveLength(1);
  pass(1);
  await lookOn.look('porch', 'C1');
  expect(asked).toHaveLength(2);
});

test('there is a link only while somebody looks, and it is opened again', { timeout: 90_000 }, async () => {
  const { lookOn, agent, pass, links } = await rig();
  await agent('porch', () => encodeLive(traceOf('C1', 1_000, [3])));
  expect(links).toHaveLength(0);
  await lookOn.look('porch', 'C1');
  let ended = false;
  void links[0]?.ended.then(() => {
    ended = true;
  });
  pass(UNASKED_MS + 1);
  await until('the link ends', () => ended, 60_000);
  expect(await lookOn.look('porch', 'C1')).toMatchObject({ collar: 'C1' });
  expect(links).toHaveLength(2);
});

test.each([
  ['refuses', { status: 'error', reason: 'four are looked at' }, 'porch: four are looked at'],
  ['is old', { status: 'error', reason: 'unknown request "live": health' }, 'porch is of a version that shows nothing'],
  ['answers nonsense', { columns: 7 }, 'porch answers something else'],
  ['tells of another collar', encodeLive(traceOf('C2', 1, [])), 'porch answers something else'],
])('an agent that %s', async (_name, said, words) => {
  const { lookOn, agent } = await rig();
  await agent('porch', () => said);
  await expect(lookOn.look('porch', 'C1')).rejects.toMatchObject({
    code: 'LOOK_REFUSED',
    message: expect.stringContaining(words),
  });
});

test(`who is silent, or answers in the name of another, is given up after ${ANSWER_MS} ms and asked again`, async () => {
  const { lookOn, agent, pass } = await rig();
  let isSilent = true;
  const asked = await agent('porch', () => (isSilent ? null : encodeLive(traceOf('C1', 1, [0]))));
  await agent('shed', () => encodeLive(traceOf('C1', 1, [0])), 'attic');
  const both = await Promise.allSettled([lookOn.look('porch', 'C1'), lookOn.look('shed', 'C1')]);
  for (const one of both) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'NO_ANSWER' } });
  isSilent = false;
  pass(ASK_EVERY_MS);
  expect(await lookOn.look('porch', 'C1')).toMatchObject({ nowMs: 1 });
  expect(asked).toHaveLength(2);
}, 30_000);

test('without a broker it says so, and tries again', { timeout: 90_000 }, async () => {
  let isThere = false;
  const { lookOn, agent, warnings } = await rig((wanted, signal) =>
    isThere ? openMqttLink(wanted, signal) : Promise.reject(new Error('nobody listens')),
  );
  await agent('porch', () => encodeLive(traceOf('C1', 1, [0])));
  await expect(lookOn.look('porch', 'C1')).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
  expect(warnings).toContainEqual({ reason: 'nobody listens' });
  isThere = true;
  await expect.poll(() => lookOn.look('porch', 'C1').catch(() => null), { timeout: 60_000 }).not.toBeNull();
});

test('so many collars at once', async () => {
  const { lookOn } = await rig(async (_wanted, signal) => {
    await aborted(signal);
    throw new Error('stopped');
  });
  const asked = Array.from({ length: MAX_LOOKS }, (_, no) => lookOn.look('porch', `C${no}`));
  await expect(lookOn.look('porch', 'one more')).rejects.toMatchObject({ code: 'TOO_MANY_LOOKS' });
  for (const one of await Promise.allSettled(asked)) expect(one.status).toBe('rejected');
}, 30_000);

const question = { collar: 'C0FFEE01', hours: 3, shake: { sensitivity: 1.4 } };
const told = { working: false, ...encodeCompared(ONE_MORE) };

test('an agent that compares settings is asked until it is done, by one at a time', async () => {
  const { lookOn, agent, links } = await rig();
  const answers: object[] = [{ working: true }, { working: true }, told];
  const asked = await agent('porch', () => answers.shift() ?? told);
  const comparing = lookOn.compare('porch', question, never);
  await expect(lookOn.compare('porch', question, never)).rejects.toMatchObject({ code: 'TOO_MANY_LOOKS' });
  expect(await comparing).toEqual(ONE_MORE);
  expect(asked.map(({ transaction: _, ...body }) => body)).toEqual([question, question, question]);
  expect(await lookOn.compare('porch', question, never)).toEqual(ONE_MORE);
  // Nobody wants to know anything: the link ends.
  await links[0]?.ended;
  expect(links).toHaveLength(1);
});

test('an agent that refuses, is of before, or says something else, is told; who goes away is not waited for', async () => {
  const { lookOn, agent } = await rig();
  const refusals = [
    [{ status: 'error', reason: 'nothing is kept here' }, 'porch: nothing is kept here'],
    [
      { status: 'error', reason: 'unknown request "compare": health' },
      'porch is of a version that compares no settings',
    ],
    [{ ...told, changes: [1] }, 'porch answers something else'],
    [{ ...told, collar: 'B' }, 'porch answers something else'],
  ] as const;
  let no = 0;
  await agent('porch', () => refusals[no]?.[0] ?? { working: true });
  for (const [, message] of refusals) {
    await expect(lookOn.compare('porch', question, never)).rejects.toMatchObject({ code: 'LOOK_REFUSED', message });
    no += 1;
  }
  const left = new AbortController();
  const comparing = lookOn.compare('porch', question, left.signal);
  setImmediate(() => left.abort());
  await expect(comparing).rejects.toMatchObject({ code: 'LOOK_REFUSED' });
});
