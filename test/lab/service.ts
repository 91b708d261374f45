/** The package on a booted Debian by systemd-nspawn, as its user has it: installed, notified, sandboxed, reloaded, frozen, upgraded, put back, removed, purged. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Checks, expect, inFolder } from './checks.ts';
import { makeRoot } from './debian.ts';
import { tryDuty } from './duty.ts';
import { boot, type Machine } from './machine.ts';

const UNIT = 'collard-agent';
const LOG_URL = '--config /etc/collard/agent.yaml';

export interface ServiceOptions {
  readonly suite: string;
  readonly deb: string;
  readonly cache: string;
  /** Seen by the machine below /src. */
  readonly checkout: string;
}

export function tryService({ check, add }: Checks, { suite, deb, cache, checkout }: ServiceOptions): Promise<void> {
  return inFolder(join(tmpdir(), 'collard-lab-'), async (folder) => {
    const next = withVersion(deb, '99.0.0', folder);
    const machine = await boot(await makeRoot(suite, cache), checkout);
    try {
      add({ name: `${suite} boots`, ok: true, ms: Math.round(machine.bootMs), detail: versionOf(machine) });
      machine.copy(deb, 'opt/old.deb');
      machine.copy(next, 'opt/new.deb');
      await all(machine, check);
    } finally {
      await machine.stop();
    }
  });
}

async function all(on: Machine, check: Checks['check']): Promise<void> {
  const show = (property: string) => on.run(`systemctl show ${UNIT} -p ${property} --value`).trim();
  const events = () => on.run(`collard events ${LOG_URL} --json | wc -l`).trim();
  await check('apt install ./collard.deb, without a network', () => {
    on.run('apt-get install -y --no-install-recommends /opt/old.deb');
    expect(show('ActiveState') === 'active', `the agent is ${show('ActiveState')}`);
    return `${on.run('du -sm /usr/lib/collard | cut -f1').trim()} MB installed`;
  });
  await check('systemd is told what matters', async () => {
    const text = await on.until('a status', `systemctl show ${UNIT} -p StatusText --value`, (out) =>
      out.includes('NOT READ'),
    );
    return text.trim();
  });
  await check('it is sandboxed, without any privilege', () => {
    const score = /: ([\d.]+)/.exec(on.run(`systemd-analyze security ${UNIT} --no-pager | tail -1`))?.[1];
    expect(Number(score) <= 1.2, `the exposure is ${score}`);
    const status = on.run(`cat /proc/${show('MainPID')}/status`);
    expect(/^CapBnd:\s*0+$/m.test(status) && /^Seccomp:\s*2$/m.test(status), status);
    expect(/^Uid:\s*(?!0\s)/m.test(status), 'it runs as root');
    return `exposure ${score}, RSS ${/VmRSS:\s*(.*)/.exec(status)?.[1]}`;
  });
  await check('a password comes from a file of root', async () => {
    on.run(`printf 'very secret\\n' > /etc/collard/credentials/mqtt.password && systemctl restart ${UNIT}`);
    const text = on.run(`nsenter -m -t ${show('MainPID')} cat /run/credentials/${UNIT}.service/mqtt.password`);
    expect(text === 'very secret\n', `it was handed: ${text}`);
    const seen = on.run(
      `journalctl -u ${UNIT} --no-pager; systemctl status ${UNIT} --no-pager; cat /proc/${show('MainPID')}/cmdline`,
    );
    expect(!seen.includes('very secret'), 'it stands in the journal, the status or the command line');
    return on.run('stat -c %A:%U /etc/collard/credentials /etc/collard/agent.yaml').trim().replace('\n', ' ');
  });
  await check('readings of a serial line become events, after a reload', async () => {
    on.run(
      `mkdir -p /etc/systemd/system/${UNIT}.service.d && printf '[Service]\\nDeviceAllow=char-pts rw\\n' > /etc/systemd/system/${UNIT}.service.d/lab.conf && systemctl daemon-reload && systemctl restart ${UNIT}`,
    );
    on.run(
      'systemd-run -q --unit=line socat pty,raw,echo=0,link=/run/collar-a,mode=660,group=dialout pty,raw,echo=0,link=/run/collar-b',
    );
    await on.until('the line is there', 'ls /run/collar-b', (out) => out !== '');
    on.run(`sed -i 's#^  - serial: .*#  - serial: /run/collar-a#' /etc/collard/agent.yaml && systemctl reload ${UNIT}`);
    await on.until('the port is open', `systemctl show ${UNIT} -p StatusText --value`, (out) =>
      out.includes('1 sources read'),
    );
    on.run('systemd-run -q --unit=collars collard simulate --collars 8 --seconds 0 --format json --out /run/collar-b');
    const count = await on.until(
      'meows are logged',
      `collard events ${LOG_URL} --type meow.ended --json | wc -l`,
      (out) => Number(out) >= 5,
    );
    return `${count.trim()} meows in the log`;
  });
  await check('a configuration that is not sound changes nothing', async () => {
    const pid = show('MainPID');
    const reading = 'collard events --config /opt/sound.yaml --json | wc -l';
    on.run(`cp /etc/collard/agent.yaml /opt/sound.yaml; echo 'nonsense: [' >> /etc/collard/agent.yaml`);
    try {
      on.run(`systemctl reload ${UNIT} || true`);
      const journal = `journalctl -u ${UNIT} -o cat --no-pager`;
      const told = await on.until('it is told', journal, (out) => out.includes('not loaded anew'));
      expect(show('MainPID') === pid && show('ActiveState') === 'active', 'it has not gone on');
      const had = Number(on.run(reading));
      const now = await on.until('it reads on', reading, (out) => Number(out) > had);
      return `${had} events when it was told, ${now.trim()} a little later; ${/[^"]*not loaded anew.*/.exec(told)?.[0].slice(0, 200)}`;
    } finally {
      on.run('cp /opt/sound.yaml /etc/collard/agent.yaml');
    }
  });
  await check('a frozen agent is killed and started again', async () => {
    on.run(
      `printf '[Service]\\nWatchdogSec=4\\nRestartSec=1\\n' > /etc/systemd/system/${UNIT}.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart ${UNIT}`,
    );
    const [pid, before] = [show('MainPID'), Number(events())];
    on.run(`kill -STOP ${pid}`);
    await on.until(
      'another process runs',
      `systemctl show ${UNIT} -p MainPID,ActiveState --value`,
      (out) => out.includes('active') && !out.includes(pid) && !/^0$/m.test(out),
      300_000,
    );
    // This terminal outlives who had it for himself alone and was killed. A real one does not.
    on.run('socat -u OPEN:/dev/null OPEN:/run/collar-a,ioctl-void=0x540d');
    const after = Number(
      await on.until('it reads on', `collard events ${LOG_URL} --json | wc -l`, (out) => Number(out) > before),
    );
    on.run(`rm /etc/systemd/system/${UNIT}.service.d/watchdog.conf && systemctl daemon-reload`);
    return `${before} events before, ${after} after`;
  });
  const integrity = (before: number) => {
    const lines = on.run(`collard events ${LOG_URL} --json`).trim().split('\n');
    const seqs = lines.map((line) => JSON.parse(line) as { epoch: string; seq: number });
    expect(seqs.length >= before, `${before} events before, ${seqs.length} after`);
    expect(new Set(seqs.map(({ epoch }) => epoch)).size === 1, 'another epoch has begun');
    expect(
      seqs.every(({ seq }, at) => seq === at + 1),
      'there is a gap',
    );
    return `${before} events before, ${seqs.length} after, none is missing`;
  };
  const update = (name: string, deb: string, flags: string) =>
    check(name, () => {
      on.run("sed -i 's/^#simulated: false/simulated: true/' /etc/collard/agent.yaml");
      const [before, pid] = [Number(events()), show('MainPID')];
      on.run(`apt-get install -y --no-install-recommends ${flags} /opt/${deb}`);
      expect(show('ActiveState') === 'active', `the agent is ${show('ActiveState')}`);
      expect(show('MainPID') !== pid, 'the program before runs on');
      expect(
        on.run('grep -c "^simulated: true" /etc/collard/agent.yaml').trim() === '1',
        'the configuration is not kept',
      );
      return integrity(before);
    });
  await update('an upgrade keeps events and configuration', 'new.deb', '');
  await update('so does the way back', 'old.deb', '--allow-downgrades');
  await tryDuty(on, check);
  await check('removed: the service is gone, events and configuration stay', () => {
    on.run('systemctl stop line; apt-get remove -y collard');
    expect(on.run('systemctl is-active collard-agent || true').trim() !== 'active', 'it still runs');
    return on.run('ls /var/lib/collard/events.db /etc/collard/agent.yaml').trim().replace('\n', ' ');
  });
  await check('purged: nothing is left', () => {
    on.run('apt-get purge -y collard');
    const left = on
      .run('ls -d /var/lib/collard* /etc/collard /usr/lib/collard /etc/systemd/system/*/collard* 2> /dev/null || true')
      .trim();
    expect(left === '', `left: ${left}`);
    return '';
  });
  await check('collard service install does the same from a checkout', async () => {
    on.run('/src/node_modules/.bin/node /src/dist/cli/bin.js service install');
    await on.until('it runs', `systemctl is-active ${UNIT}`, (out) => out.trim() === 'active');
    const text = await on.until('a status', `systemctl show ${UNIT} -p StatusText --value`, (out) =>
      out.includes('NOT READ'),
    );
    on.run('collard service uninstall');
    expect(on.run(`systemctl is-active ${UNIT} || true`).trim() !== 'active', 'it still runs');
    on.run('test ! -e /usr/lib/collard && test -e /var/lib/collard/events.db && test -e /etc/collard/agent.yaml');
    return text.trim();
  });
}

function versionOf(on: Machine): string {
  return on.run('systemctl --version | head -1; cat /etc/debian_version').trim().replace('\n', ', Debian ');
}

/** The same package under another version. */
function withVersion(deb: string, version: string, to: string): string {
  const tree = join(to, 'tree');
  execFileSync('dpkg-deb', ['-R', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  const file = join(to, 'new.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file], { stdio: 'ignore' });
  rmSync(tree, { recursive: true });
  return file;
}
