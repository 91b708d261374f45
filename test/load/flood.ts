/**
 * npm run load:flood -- [--seconds 12] [--kinds single,batches,garbage] [--rates 17,333,1000,max] [--json]
 * What one agent that floods costs another: from publish to `stored`, over a real mosquitto and a central of its own process, quiet and
 * under the flood in turns. 17, 333 and 1 000 events, or pieces of garbage of 1 kB, a second are 1 000 times an event a minute,
 * 20 of them, and one each second. `lumps` are garbage of 200 kB.
 * Ends with 1 where the median under a flood of a rate is not below twice the quiet one beside it; `max` is only told.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connectAsync, type MqttClient } from 'mqtt';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { decodeStored } from '../../src/contract/message.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { epochId, meowing } from '../central/store/events.ts';
import { freePort, startMosquitto } from '../servers.ts';
import { createLags, type Lags } from './lags.ts';

const EVERY_MS = 200;
/** A flood begins with what central takes whole: that is measured by itself. */
const ONSET_MS = 4_000;
const MAX_RATIO = 2;
const CENTRAL = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    kinds: { type: 'string', default: 'single,batches,garbage' },
    rates: { type: 'string', default: '17,333,1000,max' },
    json: { type: 'boolean', default: false },
  },
});
const phaseMs = Number(values.seconds) * 1_000;

/** An agent that says one event after the other, and how long each takes to be stored. */
async function createQuiet(url: string) {
  const client: MqttClient = await connectAsync(url, { protocolVersion: 5 });
  const writer = meowing('shed', epochId(2), 5_000);
  const topic = agentTopic(DEFAULT_BASE_TOPIC, 'shed', 'events');
  const sent = new Map<number, number>();
  const again = new Set<number>();
  let seq = 0;
  let lags: Lags = createLags();
  await client.subscribeAsync(agentTopic(DEFAULT_BASE_TOPIC, 'shed', 'stored'), { qos: 1 });
  client.on('message', (_topic, payload) => {
    const stored = decodeStored(payload);
    const mark = stored?.seq ?? 0;
    // A broker whose queue for central is full drops what comes, whoever sends it: it is sent again, as an agent does.
    for (const [from, to] of stored?.need ?? []) {
      if (again.has(from)) continue;
      again.add(from);
      client.publish(topic, encodeBatch(writer.batch(from, to)), { qos: 1 });
    }
    for (const [no, at] of sent) {
      if (no > mark) continue;
      lags.add(performance.now() - at);
      sent.delete(no);
    }
  });
  return {
    /** What is not stored at the end counts as so long as it has waited. */
    async phase(ms: number): Promise<Lags> {
      sent.clear();
      lags = createLags();
      for (const end = performance.now() + ms; performance.now() < end; await pause(EVERY_MS)) {
        seq += 1;
        sent.set(seq, performance.now());
        client.publish(agentTopic(DEFAULT_BASE_TOPIC, 'shed', 'events'), encodeBatch(writer.batch(seq, seq)), {
          qos: 1,
        });
      }
      for (const at of sent.values()) lags.add(performance.now() - at);
      return lags;
    },
    gaps: () => again.size,
    close: () => client.endAsync(true),
  };
}

async function startCentral(url: string, folder: string) {
  const port = await freePort();
  const config = join(folder, 'central.yaml');
  const lines = [`store: { url: "sqlite:${folder}/c.db" }`, `mqtt: { url: "${url}" }`, `http: { port: ${port} }`];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child = spawn(process.execPath, [CENTRAL, 'central', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`central ended with ${code}: ${log}`)));
    child.stderr.on('data', (text) => {
      log = (log + text).slice(-4_000);
      if (log.includes('connected to the broker')) resolve();
    });
  });
  return {
    async stop() {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
}

interface Measured {
  readonly kind: string;
  readonly rate: string;
  /** As many as it could. */
  readonly messagesPerSecond: number;
  readonly quiet: Times;
  /** The first seconds: what central takes whole before it is behind. */
  readonly onset: Times;
  readonly flooded: Times;
  readonly after: Times;
  /** Dropped by a broker whose queue for central was full, and sent again. */
  readonly gaps: number;
  /** Median to median. */
  readonly ratio: number;
}

interface Times {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly events: number;
}

const timesOf = (lags: Lags): Times => ({
  p50Ms: Math.round(10 * lags.at(0.5)) / 10,
  p95Ms: Math.round(10 * lags.at(0.95)) / 10,
  events: lags.count,
});
const asText = ({ p50Ms, p95Ms, events }: Times) => `p50 ${p50Ms} ms, p95 ${p95Ms} ms (${events})`;

async function measure(kind: string, rate: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-flood-'));
  const broker = await startMosquitto(['max_packet_size 524288']);
  try {
    const central = await startCentral(broker.url, folder);
    const quiet = await createQuiet(broker.url);
    const still = timesOf(await quiet.phase(phaseMs));
    const flooder = fork(fileURLToPath(new URL('./flooder.ts', import.meta.url)), [broker.url, kind, rate]);
    let sent = 0;
    flooder.on('message', (count) => {
      sent = Number(count);
    });
    await once(flooder, 'message');
    const onset = timesOf(await quiet.phase(ONSET_MS));
    const [before, beganMs] = [sent, performance.now()];
    const flooded = timesOf(await quiet.phase(phaseMs));
    const messagesPerSecond = Math.round((1_000 * (sent - before)) / (performance.now() - beganMs));
    flooder.kill('SIGKILL');
    const after = timesOf(await quiet.phase(phaseMs / 2));
    const ratio = Math.round((100 * flooded.p50Ms) / still.p50Ms) / 100;
    const gaps = quiet.gaps();
    await quiet.close();
    await central.stop();
    return { kind, rate, messagesPerSecond, quiet: still, onset, flooded, after, gaps, ratio };
  } finally {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(one: Measured): void {
  const { kind, rate, messagesPerSecond, quiet, onset, flooded, after, gaps, ratio } = one;
  const verdict = rate === 'max' ? '' : isBad(one) ? `: FAILS, at most ${MAX_RATIO}` : ': passes';
  const lines = [
    `${kind}, ${rate} a second asked for: ${messagesPerSecond} messages a second of one agent`,
    `  quiet   ${asText(quiet)}`,
    `  onset   ${asText(onset)}`,
    `  flooded ${asText(flooded)}`,
    `  after   ${asText(after)}`,
    `  ${gaps} of the other's dropped by the broker and sent again`,
    `  ${ratio} times the quiet median${verdict}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function isBad({ rate, ratio }: Measured): boolean {
  return rate !== 'max' && ratio >= MAX_RATIO;
}

const all: Measured[] = [];
for (const kind of values.kinds.split(',')) {
  for (const rate of values.rates.split(',')) {
    const one = await measure(kind, rate);
    all.push(one);
    if (!values.json) tell(one);
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
process.exit(all.some(isBad) ? 1 : 0);
