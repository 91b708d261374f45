/** What a person can send along with a report: the findings, the settings in force, the machine, the last lines of the log. No secrets. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, freemem, loadavg, release, totalmem, uptime } from 'node:os';
import { hiddenInUrls, masked } from '../lib/config-file.ts';
import { type AnyConfig, flatten } from './config.ts';
import type { Finding } from './doctor-machine.ts';
import { CommandError, EXIT } from './exit.ts';
import { openOutput } from './out-file.ts';
import { listPorts } from './ports.ts';
import { version } from './version.ts';

const JOURNAL_LINES = 500;
const JOURNAL_MS = 10_000;
const MAX_JOURNAL_BYTES = 1024 * 1024;
/** A shorter one would be found in everything. */
const SHORTEST_SECRET = 4;

/** `any`: null where there is no sound configuration. Throws CommandError where the file cannot be written. */
export async function writeBundle(path: string, findings: readonly Finding[], any: AnyConfig | null): Promise<void> {
  const bundle = {
    collard: version(),
    made: new Date().toISOString(),
    machine: await machine(),
    checks: findings,
    kind: any?.kind ?? null,
    settings: any === null ? [] : settingsOf(any),
    ports: await listPorts(),
    journal: await journal(any?.kind),
  };
  const text = withoutSecrets(JSON.stringify(bundle, null, 2), any === null ? [] : secretsOf(any));
  const output = await openOutput(path, new AbortController().signal, 0o600);
  try {
    await output.write(`${text}\n`);
    await output.finish();
  } catch (cause) {
    const fix = 'make room, or name another file';
    throw new CommandError(EXIT.io, `cannot write ${path}: ${String(cause)}`, fix, { cause });
  } finally {
    await output.discard();
  }
}

function settingsOf({ config, secrets }: AnyConfig) {
  return flatten('', config.value).map(([path, value]) => ({
    path,
    value: masked(path, value, secrets),
    origin: config.origin(path),
  }));
}

/** Whatever is masked, wherever else it may stand: also in a message, or in the journal. */
function secretsOf({ config, secrets }: AnyConfig): string[] {
  const found = flatten('', config.value).flatMap(([path, value]) => {
    if (typeof value !== 'string' || masked(path, value, secrets) === value) return [];
    const inUrl = hiddenInUrls(value);
    return [value, ...inUrl, ...inUrl.map((hidden) => decoded(hidden))];
  });
  return [...new Set(found)].filter((secret) => secret.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(JSON.stringify(secret).slice(1, -1), '***'), text);
}

async function machine() {
  const read = async (path: string) => (await readFile(path, 'utf8').catch(() => '')).replace(/\0+$/, '').trim();
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(await read('/etc/os-release'))?.[1] ?? '';
  return {
    system: name,
    model: await read('/proc/device-tree/model'),
    kernel: release(),
    node: process.version,
    arch: process.arch,
    processors: cpus().length,
    load: loadavg().map((load) => Math.round(load * 100) / 100),
    memoryBytes: totalmem(),
    freeBytes: freemem(),
    uptimeSeconds: Math.round(uptime()),
  };
}

/** The last lines of the services; none where there is no journal, or this user may not read it. */
function journal(kind: AnyConfig['kind'] | undefined): Promise<string[]> {
  const units = (kind === undefined ? ['agent', 'central'] : [kind]).flatMap((side) => ['-u', `collard-${side}`]);
  const args = [...units, '-n', String(JOURNAL_LINES), '-o', 'short-iso', '--no-pager', '-q'];
  return new Promise((resolve) => {
    execFile('journalctl', args, { timeout: JOURNAL_MS, maxBuffer: MAX_JOURNAL_BYTES }, (error, stdout) =>
      resolve(error === null ? stdout.split('\n').filter((line) => line !== '') : []),
    );
  });
}
