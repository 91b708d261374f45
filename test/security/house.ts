/** A house with the broker that config/mosquitto describes: its files as they are, only folders and ports replaced. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentConfig, agentSchema } from '../../src/agent/config.ts';
import { type CentralConfig, centralSchema } from '../../src/central/config.ts';
import { ROOT } from '../architecture/files.ts';
import { type Authority, createAuthority } from '../lib/certificates.ts';
import { freePort, type Mosquitto, startMosquitto } from '../servers.ts';

export type HouseKind = 'certificates' | 'passwords';

export const PASSWORDS: Readonly<Record<string, string>> = {
  porch: 'porch-secret',
  shed: 'shed-secret',
  central: 'central-secret',
  dashboard: 'dashboard-secret',
};

export interface House {
  readonly folder: string;
  readonly broker: Mosquitto;
  readonly authority: Authority;
  readonly agentsPort: number;
  readonly centralUrl: string;
  /** The section `mqtt` of the agent that may call itself `name`. */
  mqttOf(name: string): AgentConfig['mqtt'];
  readonly centralConfig: CentralConfig;
  readonly storeUrl: string;
  stop(): Promise<void>;
}

export async function startHouse(kind: HouseKind): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-house-'));
  const authority = createAuthority();
  const at = (name: string) => join(folder, name);
  mkdirSync(at('certs'));
  writeFileSync(at('certs/ca.pem'), authority.ca);
  const pair = authority.issue('127.0.0.1');
  writeFileSync(at('certs/broker.pem'), pair.cert);
  writeFileSync(at('certs/broker.key'), pair.key);
  for (const name of ['agents', 'central']) {
    copyFileSync(join(ROOT, `config/mosquitto/${name}.acl`), at(`collard-${name}.acl`));
  }
  for (const name of ['porch', 'shed']) {
    const issued = authority.issue(name);
    writeFileSync(at(`${name}.pem`), issued.cert);
    writeFileSync(at(`${name}.key`), issued.key);
  }
  addUsers(at('collard-agents.passwd'), ['porch', 'shed']);
  addUsers(at('collard-central.passwd'), ['central', 'dashboard']);
  const [agentsPort, centralPort] = [await freePort(), await freePort()];
  const lines = readFileSync(join(ROOT, `config/mosquitto/${kind}.conf`), 'utf8')
    .replaceAll('/etc/mosquitto/', `${folder}/`)
    .replace(/^listener 8883$/m, `listener ${agentsPort}`)
    .replace(/^listener 1883 127\.0\.0\.1$/m, `listener ${centralPort} 127.0.0.1`);
  const broker = await startMosquitto(lines.split('\n'));
  const storeUrl = `sqlite:${at('central.db')}`;
  const { mqtt } = agentSchema.shape;
  const quick = { retryFirstMs: 50, retryMaxMs: 200 };
  const centralUrl = `mqtt://127.0.0.1:${centralPort}`;
  return {
    folder,
    broker,
    authority,
    agentsPort,
    centralUrl,
    mqttOf: (name) =>
      mqtt.parse({
        url: `mqtts://127.0.0.1:${agentsPort}`,
        ca: at('certs/ca.pem'),
        ...(kind === 'certificates'
          ? { cert: at(`${name}.pem`), key: at(`${name}.key`) }
          : { username: name, password: PASSWORDS[name] }),
        ...quick,
      }),
    centralConfig: centralSchema.parse({
      store: { url: storeUrl },
      mqtt: { url: centralUrl, username: 'central', password: PASSWORDS.central, ...quick },
      http: { port: 0 },
    }),
    storeUrl,
    async stop() {
      await broker.stop();
      authority.remove();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function addUsers(path: string, names: readonly string[]): void {
  writeFileSync(path, '');
  chmodSync(path, 0o600);
  for (const name of names)
    execFileSync('mosquitto_passwd', ['-b', path, name, PASSWORDS[name] ?? ''], { stdio: 'pipe' });
}
