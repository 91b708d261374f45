/** A Pi without network time believes that it is 1970: no certificate is valid yet. That is told as what it is, and stops nothing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { Aedes } from 'aedes';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import type { Clock } from '../../src/agent/clock.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { type Authority, createAuthority } from '../lib/certificates.ts';
import { opensslPath, requireServer, until } from '../servers.ts';

const NEVER_SET: Clock = {
  wallNow: () => 5_000,
  monoNow: () => performance.now(),
  quality: () => 'unsynced',
  boot: 'b7c1',
};

describe.skipIf(!requireServer('openssl', opensslPath))('an agent whose clock was never set', () => {
  test('says that the clock is to blame, logs its events meanwhile, and gets through once certificates are valid', async () => {
    const home = mkdtempSync(join(tmpdir(), 'collard-1970-'));
    const authority = createAuthority();
    // For this machine's clock 2048 is what 2020 is for one that stands at 1970.
    const { server, retained } = await startBroker(authority, '20480101000000Z');
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(home, 'ca.pem'), authority.ca);
    writeFileSync(join(home, 'capture.jsonl'), '{"collar":"A","ax":0,"ay":0,"az":1,"battery":7}\n');
    const lines: { level: number; msg: string }[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const stop = new AbortController();
    const config = agentSchema.parse({
      agent: 'porch',
      sources: [{ file: join(home, 'capture.jsonl') }],
      log: { path: join(home, 'events.db') },
      mqtt: { url: `mqtts://127.0.0.1:${port}`, ca: join(home, 'ca.pem'), retryFirstMs: 20, retryMaxMs: 50 },
      health: { everyMs: 100 },
    });
    const running = runAgent(config, { openLink: openMqttLink, logger, version: '0', clock: NEVER_SET }, stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await running;
      server.close();
      authority.remove();
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    });
    const blame = () => lines.filter(({ msg }) => msg.includes('not valid yet: check the clock of this machine'));
    await until('the clock is blamed', () => blame().length > 0);
    await until('the event is logged', () => lastSeqOf(join(home, 'events.db')) > 0);
    expect(blame()).toHaveLength(1);
    expect(retained.size).toBe(0);
    server.setSecureContext(authority.issue('127.0.0.1'));
    await until('health gets through', () => retained.has('health'));
    expect(JSON.parse(retained.get('health') ?? '')).toMatchObject({ clock: 'unsynced', queue: 1 });
  });
});

async function startBroker(authority: Authority, validFrom: string) {
  const broker = await Aedes.createBroker();
  onTestFinished(() => new Promise<void>((resolve) => broker.close(() => resolve())));
  const retained = new Map<string, string>();
  broker.on('publish', ({ topic, payload }) => {
    const channel = /\/porch\/(\w+)$/.exec(topic)?.[1];
    if (channel !== undefined) retained.set(channel, payload.toString());
  });
  const server: Server = createServer(authority.issue('127.0.0.1', validFrom), (socket) => broker.handle(socket));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, retained };
}

function lastSeqOf(path: string): number {
  const log = openLogReader(path);
  try {
    return log.epochs().at(-1)?.lastSeq ?? 0;
  } finally {
    log.close();
  }
}
