/**
 * npm run lab -- [--tier service|release] [--suite trixie]… [--deb FILE] [--cuts 50] [--only device|clock|cuts]… [--json]
 *
 * service: the package on a Debian booted by systemd-nspawn: its unit, its sandbox, its upgrades. A minute or two for each suite.
 * release: on a whole machine by QEMU: GPIO lines, a USB receiver, a clock that stands wrong, a full card, power cuts. Half an hour.
 * Both need root; what they need besides comes from Debian, and from this checkout: npm run package -- --arch amd64.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createChecks, report } from './checks.ts';
import { tryRelease } from './release.ts';
import { tryService } from './service.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NEEDED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  service: { mmdebstrap: 'mmdebstrap', 'systemd-nspawn': 'systemd-container' },
  release: {
    mmdebstrap: 'mmdebstrap',
    'systemd-nspawn': 'systemd-container',
    'qemu-system-x86_64': 'qemu-system-x86',
    mosquitto: 'mosquitto',
  },
};
const NOT_TRIED = [
  'not tried: real hardware (no Raspberry Pi, no SD card, no sensor): simulated lines, an emulated receiver, a disk whose cache outlives the cut',
];

const { values } = parseArgs({
  options: {
    tier: { type: 'string', default: 'service' },
    suite: { type: 'string', multiple: true, default: ['bookworm', 'trixie'] },
    deb: { type: 'string' },
    cache: { type: 'string', default: '/var/cache/collard-lab' },
    cuts: { type: 'string', default: '50' },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});

// What a part of it started or laid down ends with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
provide(values.tier);
const checks = createChecks();
const deb = values.deb ?? newestPackage();
const { cache } = values;
mkdirSync(cache, { recursive: true });
try {
  if (values.tier === 'release') await tryRelease(checks, { deb, cache, cuts: Number(values.cuts), only: values.only });
  else for (const suite of values.suite) await tryService(checks, { suite, deb, cache, checkout: ROOT });
} catch (error) {
  // What the lab itself could not do is a failure of the run, with what was found before.
  checks.add({ name: 'the lab', ok: false, ms: 0, detail: error instanceof Error ? error.message : String(error) });
}
const size = `${deb.slice(deb.lastIndexOf('/') + 1)}: ${(statSync(deb).size / 1e6).toFixed(1)} MB`;
report(checks.all, values.json, [size, ...NOT_TRIED]);

/** Fetches the programs that are missing. */
function provide(tier: string): void {
  const needed = NEEDED[tier];
  if (needed === undefined) throw new Error(`--tier must be service or release, not ${tier}`);
  if (process.getuid?.() !== 0) throw new Error('the lab boots machines of its own: run it as root');
  const missing = Object.entries(needed).filter(([name]) => spawnSync('which', [name]).status !== 0);
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name);
  process.stderr.write(`apt-get install ${packages.join(' ')} …\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
  ]) {
    const { status, stderr } = spawnSync('apt-get', args, { encoding: 'utf8', env });
    if (status !== 0) throw new Error(`apt-get ${args.join(' ')}: ${stderr}`);
  }
}

function newestPackage(): string {
  const packages = join(ROOT, 'packages');
  const [found] = readdirSync(packages).filter((name) => name.endsWith('_amd64.deb'));
  if (found === undefined) throw new Error('no package: npm run package -- --arch amd64');
  return join(packages, found);
}
