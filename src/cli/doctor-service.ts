/** What `collard doctor` asks systemd: is the service installed, does it run, will it run after a reboot. */
import { execFile } from 'node:child_process';
import { type Finding, fail, ok, warn } from './doctor-machine.ts';

/** What `systemctl show` says of a unit; null where systemd does not run. */
export type ShowUnit = (unit: string) => Promise<Readonly<Record<string, string>> | null>;

const PROPERTIES = ['LoadState', 'ActiveState', 'SubState', 'UnitFileState', 'Result', 'NRestarts', 'StatusText'];
const ANSWER_MS = 5_000;
const MANY_RESTARTS = 5;

export async function checkService(side: 'agent' | 'central', show: ShowUnit = systemctlShow): Promise<Finding> {
  const unit = `collard-${side}.service`;
  const state = await show(unit);
  if (state === null) return ok('service', 'systemd does not run here: it is started by hand');
  const { LoadState, ActiveState, SubState, UnitFileState, Result, NRestarts, StatusText = '' } = state;
  if (LoadState === 'not-found') return ok('service', `${unit} is not installed: it is started by hand`);
  if (LoadState !== 'loaded') {
    return fail('service', `${unit} cannot be read (${LoadState})`, `systemd-analyze verify ${unit}`);
  }
  const look = `journalctl -u ${unit} -n 50`;
  if (ActiveState === 'failed' || SubState === 'auto-restart') {
    return fail('service', `${unit} ended (${Result})`, `${look} tells why; then: sudo systemctl restart ${unit}`);
  }
  const isEnabled = UnitFileState === 'enabled';
  if (ActiveState === 'inactive') {
    const fix = isEnabled ? `sudo systemctl start ${unit}` : `sudo systemctl enable --now ${unit}`;
    return warn('service', `${unit} does not run`, fix);
  }
  if (!isEnabled) {
    return warn('service', `${unit} runs, and will not after a reboot`, `sudo systemctl enable ${unit}`);
  }
  if (Number(NRestarts) >= MANY_RESTARTS) {
    return warn('service', `${unit} was started again ${NRestarts} times`, `${look} tells why`);
  }
  if (/^stands still|STALLED|NOT READ|DIFFER/.test(StatusText)) return warn('service', `${unit}: ${StatusText}`, look);
  return ok('service', `${unit} is ${ActiveState}${StatusText === '' ? '' : `: ${StatusText}`}`);
}

const systemctlShow: ShowUnit = (unit) =>
  new Promise((resolve) => {
    const args = ['show', unit, '-p', PROPERTIES.join(',')];
    execFile('systemctl', args, { timeout: ANSWER_MS }, (error, stdout) => {
      const pairs = stdout.split('\n').map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]);
      resolve(error === null ? Object.fromEntries(pairs.filter(([name]) => name !== '')) : null);
    });
  });
