/** A link on which nothing comes any more, in one direction or both, though nobody has closed it: how soon it is found. */
import { setTimeout as pause } from 'node:timers/promises';
import { type MqttLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startMosquitto } from '../servers.ts';
import { type BrokerLink, openBrokerLink, type Trouble } from './broker-link.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Tally } from './frame.ts';
import { whyNoHouse } from './nemesis.ts';

const LANES = 16;
const KEEPALIVE_S = 2;
/** Of the keepalive. */
const FOUND_WITHIN = 1.5;
/** What a busy machine may be late. */
const SLACK_MS = 500;
const WAYS: readonly NonNullable<Trouble['frozen']>[] = [['up', 'down'], ['up'], ['down']];

export const halfOpen: Scenario = {
  name: 'half-open',
  weight: 0.5,
  recovery: 'until the link is found dead',
  full: 500,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    const tally = createTally(`half-open link found within ${FOUND_WITHIN} × keepalive`);
    const shares: number[] = [];
    const broker = await startMosquitto();
    try {
      const lane = (no: number) => runLane(context, broker.port, (context.seed + no) >>> 0, { tally, shares });
      await Promise.all(Array.from({ length: LANES }, (_, no) => lane(no)));
    } finally {
      await broker.stop();
    }
    shares.sort((a, b) => a - b);
    const at = (n: number | undefined) => (n ?? 0).toFixed(2);
    tally.note(
      `keepalive ${KEEPALIVE_S} s: found after median ${at(shares[shares.length >> 1])}, at most ${at(shares.at(-1))} of it`,
    );
    return [tally.row()];
  },
};

async function runLane(
  context: Context,
  port: number,
  seed: number,
  { tally, shares }: { readonly tally: Tally; readonly shares: number[] },
): Promise<void> {
  const random = mulberry32(seed);
  const proxy = await openBrokerLink(port, random);
  try {
    for (let i = 0; context.more(tally.injected); i += 1) {
      const link = await open(proxy, `half-open-${seed}`);
      const talking = talk(link);
      await pause(random() * 2_000 * KEEPALIVE_S);
      proxy.set({ frozen: WAYS[below(random, WAYS.length)] ?? ['up'] });
      const began = performance.now();
      await link.ended;
      const ms = performance.now() - began;
      proxy.heal();
      proxy.cut();
      await talking;
      shares.push(ms / 1_000 / KEEPALIVE_S);
      const late = ms > FOUND_WITHIN * KEEPALIVE_S * 1_000 + SLACK_MS;
      const breach = late ? `found after ${Math.round(ms)} ms` : null;
      tally.add({ acked: 0, lost: 0, doubled: 0, recoveryMs: ms, breach }, `seed ${seed}, link ${i}`);
    }
  } finally {
    await proxy.close();
  }
}

function open(proxy: BrokerLink, clientId: string): Promise<MqttLink> {
  const limits = { keepaliveSeconds: KEEPALIVE_S, connectTimeoutMs: 10_000, incomingLimit: 100 };
  const session = { clientId, cleanStart: true, sessionExpirySeconds: 0 };
  return openMqttLink({ url: proxy.url, ...session, ...limits }, new AbortController().signal);
}

/** Some links publish all the time, as an agent with events does. */
async function talk(link: MqttLink): Promise<void> {
  let over = false;
  void link.ended.then(() => {
    over = true;
  });
  while (!over) {
    // Unknown at the end of the link: that is what is waited for.
    void link.publish('half-open', 'x', { qos: 1, retain: false }).catch(() => undefined);
    await pause(300);
  }
}
