/**
 * npm run lab -- [--tier service|release] [--suite trixie]… [--deb FILE] [--arm64 FILE] [--cuts 50]
 *                [--only service|device|clock|cuts|arm64]… [--json]
 *
 * service: the package on a Debian booted by systemd-nspawn: its unit, its sandbox, its upgrades. A minute or two for each suite.
 * release: that, and on a whole machine by QEMU: GPIO lines, a USB receiver, a clock that stands wrong, a full card, power cuts; and
 * the package for a Raspberry Pi on a kernel of arm64. Half an hour on two cores that have nothing else to do.
 * Both need root; what they need besides comes from Debian, and from this checkout: npm run package.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename, join } from 'node:path';
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
    'qemu-system-aarch64': 'qemu-system-arm',
    'qemu-aarch64-static': 'qemu-user-static',
    'arch-test': 'arch-test',
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
    arm64: { type: 'string' },
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
const deb = values.deb ?? newestPackage('amd64');
const { cache } = values;
mkdirSync(cache, { recursive: true });
const has = (part: string) => values.only.length === 0 || values.only.includes(part);
const debs = [deb];
const startedAt = performance.now();
try {
  if (values.tier === 'service' || has('service'))
    for (const suite of values.suite) await tryService(checks, { suite, deb, cache, checkout: ROOT });
  if (values.tier === 'release') {
    const arm64 = has('arm64') ? (values.arm64 ?? newestPackage('arm64')) : null;
    if (arm64 !== null) debs.push(arm64);
    await tryRelease(checks, { deb, arm64, cache, cuts: Number(values.cuts), only: values.only });
  }
} catch (error) {
  // What the lab itself could not do is a failure of the run, with what was found before.
  checks.add({ name: 'the lab', ok: false, ms: 0, detail: error instanceof Error ? error.message : String(error) });
}
const sizes = debs.map((path) => `${basename(path)}: ${(statSync(path).size / 1e6).toFixed(1)} MB`);
const took = `${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes on ${cpus().length} cores, load ${loadavg()
  .map((load) => load.toFixed(1))
  .join(' ')}`;
report(checks.all, values.json, [...sizes, took, ...NOT_TRIED]);

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

function newestPackage(arch: 'amd64' | 'arm64'): string {
  const packages = join(ROOT, 'packages');
  const [found] = readdirSync(packages).filter((name) => name.endsWith(`_${arch}.deb`));
  if (found === undefined) throw new Error(`no package: npm run package -- --arch ${arch}`);
  return join(packages, found);
}
