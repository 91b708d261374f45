/** `collard doctor`: looks at everything that must be right before an agent or central can work, and names each fix. */
import { Command } from 'commander';
import { signingKeyPath } from '../agent/publisher/signing-key.ts';
import { explainPlain } from '../broker/plain.ts';
import type { CentralConfig } from '../central/config.ts';
import { ConfigError } from '../lib/config-file.ts';
import { type AnyConfig, explainAccess, loadAnyConfig } from './config.ts';
import { writeBundle } from './doctor-bundle.ts';
import { checkFiles } from './doctor-files.ts';
import {
  checkClock,
  checkFolder,
  checkKey,
  checkRuntime,
  checkSource,
  checkSqlite,
  type Finding,
  fail,
  ok,
  warn,
} from './doctor-machine.ts';
import { checkBrokers, checkDatabase, checkEtcd, checkPage, startsWithCentral } from './doctor-network.ts';
import { checkService } from './doctor-service.ts';
import { EXIT } from './exit.ts';
import { paint, print, printJson, safe, tell } from './output.ts';
import { listPorts } from './ports.ts';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check this machine and a configuration. Each line is ok, warn or fail; exit 1 where one fails.')
    .option('-c, --config <file>', 'agent.yaml or central.yaml')
    .option('--json', 'print one JSON object')
    .option('--bundle <file>', 'write what a report needs, without secrets: findings, settings, machine, journal')
    .action(async (options: { readonly config?: string; readonly json?: true; readonly bundle?: string }) => {
      const findings = await examine(options.config);
      const failed = findings.some(({ result }) => result === 'fail');
      if (options.json === true) printJson({ ok: !failed, checks: findings });
      else for (const finding of findings) print(lineOf(finding));
      if (options.bundle !== undefined) {
        await writeBundle(options.bundle, findings, soundConfig(options.config));
        tell(`wrote ${safe(options.bundle)}: look through it before you send it`);
      }
      if (failed) process.exitCode = EXIT.checkFailed;
    });
}

/** Null where there is none, or a faulty one: the findings tell. */
function soundConfig(file: string | undefined): AnyConfig | null {
  if (file === undefined) return null;
  try {
    return loadAnyConfig(file);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** Everything that can be looked at; without a sound configuration, the machine alone. */
export async function examine(file: string | undefined): Promise<Finding[]> {
  const machine = [checkRuntime(), await checkClock()];
  if (file === undefined) {
    const none = warn('config', 'none was given: only the machine is checked', 'collard doctor --config agent.yaml');
    const services = await Promise.all([checkService('agent'), checkService('central')]);
    return [...machine, await portsFinding(), ...services, none];
  }
  try {
    const any = loadAnyConfig(file);
    const config = [
      ok('config', `${file} is sound (${any.kind})`),
      ...any.config.warnings.map((warning) => warn('config', warning, 'correct it')),
      ...explainPlain(any.config.value).map((text) => warn('broker', text, 'TLS, or a broker on this machine only')),
      ...(any.kind === 'central' ? explainAccess(any.config.value.http).map(accessFinding) : []),
    ];
    return [
      ...machine,
      ...config,
      await checkService(any.kind),
      ...(await checkFiles(any)),
      ...(await examineConfig(any)),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const faults = error.problems.map(({ where, message }) =>
      fail('config', `${where}  ${message}`, 'correct this place'),
    );
    return [...machine, ...faults];
  }
}

function accessFinding(text: string): Finding {
  const isOff = text.startsWith('http.login');
  return isOff ? warn('access', text, 'http.login: auto, and a password: collard central passwd') : ok('access', text);
}

async function examineConfig(any: AnyConfig): Promise<Finding[]> {
  if (any.kind === 'agent') {
    const { log, sources, mqtt, forward } = any.config.value;
    const key = await checkKey(signingKeyPath(any.config.value));
    const sourceFindings = await Promise.all(sources.map(checkSource));
    const broker = await checkBrokers(mqtt, forward.confirm === 'store', any.config.value.agent);
    return [...sourceFindings, ...(await checkFolder(log.path)), await checkSqlite(log.path), key, ...broker];
  }
  const { store, mqtt, http, broker } = any.config.value;
  const brokers = await checkBrokers(mqtt, false);
  const network = [
    ...(broker.enabled ? brokers.map(startsWithCentral) : brokers),
    ...(await checkEtcd(any.config.value)),
    await checkPage(http),
  ];
  return [...(await checkStore(store)), ...network];
}

async function checkStore({ url, password }: CentralConfig['store']): Promise<Finding[]> {
  if (!url.startsWith('sqlite:')) return checkDatabase(url, password);
  const path = url.replace(/^sqlite:(\/\/(?=\/))?/, '');
  return [...(await checkFolder(path)), await checkSqlite(path)];
}

async function portsFinding(): Promise<Finding> {
  const ports = await listPorts();
  const usable = ports.filter(({ problem }) => problem === null).length;
  if (ports.length === 0) return warn('ports', 'there is no serial port', 'plug the receiver in');
  const text = `${usable} of ${ports.length} serial ports may be opened`;
  return usable > 0 ? ok('ports', text) : warn('ports', text, 'collard ports tells why');
}

export function lineOf({ check, result, message, fix }: Finding): string {
  const colour = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
  const line = `${paint(result.padEnd(4), colour[result])}  ${check.padEnd(8)}  ${safe(message)}`;
  return fix === null ? line : `${line}\n      ${' '.repeat(8)}  fix: ${safe(fix)}`;
}
