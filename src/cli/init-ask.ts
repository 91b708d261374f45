/** The questions of `collard init`, one after the other, with what this machine and its network say to each. */
import { hostname } from 'node:os';
import { agentNameOf } from '../agent/config.ts';
import { FORMATS } from '../agent/decoder/decoder.ts';
import { AGENT_NAME, CENTRAL_AGENT } from '../contract/topic.ts';
import type { Finding } from './doctor-machine.ts';
import type { Settings } from './example-yaml.ts';
import { describe, type HeardOf, type HeardPort } from './hear-port.ts';
import type { FoundBroker, MqttSettings } from './init-brokers.ts';
import { askOwnBroker, LOCAL_BROKER } from './init-own-broker.ts';
import { merged, type Role } from './init-settings.ts';
import type { Port } from './ports.ts';
import type { Format } from './probe-port.ts';
import type { Choice, Prompter } from './prompt.ts';

/** What this machine and its network say. */
export interface InitSystem {
  ports(): Promise<readonly Port[]>;
  hear(path: string): Promise<HeardPort>;
  /** Until the signal aborts; calls back with the counts so far, or with what is wrong. */
  collars(
    source: SerialSettings,
    heard: (collars: readonly HeardOf[], problem: string | null) => void,
    signal: AbortSignal,
  ): Promise<void>;
  brokers(): Promise<readonly FoundBroker[]>;
  /** Tries a broker, with the password. */
  test(mqtt: MqttSettings & Login): Promise<readonly Finding[]>;
}

export interface Login {
  readonly username?: string;
  readonly password?: string;
}

export interface SerialSettings {
  readonly serial: string;
  readonly baud: number;
  readonly format: Format;
}

export interface Answers {
  readonly role: Role;
  readonly settings: Settings;
  readonly password: string | null;
  /** Names of cats by their collars. */
  readonly cats: readonly { readonly collar: string; readonly name: string }[];
}

/** `given` settings are not asked for. */
export async function askAll(
  ask: Prompter,
  system: InitSystem,
  given: { readonly role: Role | null; readonly settings: Settings },
): Promise<Answers> {
  const role = given.role ?? (await askRole(ask));
  const isAgent = role !== 'central';
  let settings: Settings = {};
  let cats: Answers['cats'] = [];
  if (isAgent && given.settings.agent === undefined) settings.agent = await askName(ask);
  if (isAgent && given.settings.sources === undefined) {
    const source = await askSource(ask, system);
    const place = await ask.text('where does this receiver stand (a room; empty: it is told by the readings)', '');
    settings.sources = [{ ...source, ...(place === '' ? {} : { place }) }];
    if (source.serial !== undefined) cats = await askCats(ask, system, source as SerialSettings);
  }
  let password: string | null = null;
  if (given.settings.mqtt === undefined) {
    const { mqtt, secret, broker } = await askBroker(ask, system, { role, isSet: given.settings.broker !== undefined });
    settings = merged(settings, broker === undefined ? { mqtt } : { mqtt, broker });
    password = secret;
    if (role === 'agent' && (await askNoCentral(ask))) settings.forward = { confirm: 'broker' };
  }
  return { role, settings, password, cats };
}

function askRole(ask: Prompter): Promise<Role> {
  return ask.choose<Role>('what is this machine to be?', [
    { label: 'agent: it has a receiver, and sends what it hears to a central elsewhere', value: 'agent' },
    { label: 'central: it keeps the history of all agents and shows the page', value: 'central' },
    { label: 'both', value: 'both' },
  ]);
}

function askName(ask: Prompter): Promise<string> {
  const wrong = (name: string) =>
    AGENT_NAME.test(name) && name !== CENTRAL_AGENT ? null : 'letters, digits, - and _, at most 64, and not "central"';
  return ask.text('name of this agent (do not change it later)', agentNameOf(hostname()), wrong);
}

type SourceSettings = Partial<SerialSettings> & { readonly file?: string };
type PortChoice = { readonly port: Port; readonly heard: HeardPort } | 'again' | 'typed' | 'file';

async function askSource(ask: Prompter, system: InitSystem): Promise<SourceSettings> {
  for (;;) {
    const ports = await system.ports();
    const free = ports.filter(({ problem }) => problem === null);
    for (const { problem } of ports) if (problem !== null) ask.tell(`  ${problem}`);
    if (free.length > 0) ask.tell(`  listening at ${free.length} serial ports for three seconds …`);
    const heard = await Promise.all(free.map(async (port) => ({ port, heard: await system.hear(port.path) })));
    heard.sort((a, b) => b.heard.frames - a.heard.frames);
    const choices: Choice<PortChoice>[] = [
      ...heard.map((one) => ({ label: `${one.port.path}: ${describe(one.heard)}`, value: one })),
      { label: 'look again (plug the receiver in first)', value: 'again' },
      { label: 'another port: type its path', value: 'typed' },
      { label: 'no receiver yet: a file of recorded readings', value: 'file' },
    ];
    const chosen = await ask.choose('where do the readings come from?', choices);
    if (chosen === 'again') continue;
    const needed = (text: string) => (text === '' ? 'a path' : null);
    if (chosen === 'file') return { file: await ask.text('path of the file', '', needed) };
    const serial = chosen === 'typed' ? await ask.text('path of the port', '', needed) : chosen.port.path;
    if (chosen === 'typed') ask.tell('  listening for three seconds …');
    const found = chosen === 'typed' ? await system.hear(serial) : chosen.heard;
    if (chosen === 'typed') ask.tell(`  ${describe(found)}`);
    return { serial, ...(await askSpeech(ask, found)) };
  }
}

/** Only where it was not heard. */
async function askSpeech(ask: Prompter, { baud, format }: HeardPort): Promise<Pick<SerialSettings, 'baud' | 'format'>> {
  if (baud !== null && format !== null) return { baud, format };
  const isRate = (text: string) => (/^\d{2,7}$/.test(text) ? null : 'a number, such as 115200');
  const rate = Number(await ask.text('baud rate of the receiver', '115200', isRate));
  const choices = FORMATS.map((name) => ({ label: name, value: name }));
  return { baud: rate, format: await ask.choose('what does it write?', choices) };
}

/** The collar that is shaken gets a name, one after the other. */
async function askCats(ask: Prompter, system: InitSystem, source: SerialSettings): Promise<Answers['cats']> {
  const cats: { collar: string; name: string }[] = [];
  if (!(await ask.confirm('shake a collar to find out which cat it belongs to?', true))) return cats;
  for (;;) {
    let last: readonly HeardOf[] = [];
    ask.tell('shake the collar now; press Enter when it was heard …');
    await ask.untilEnter((show, signal) =>
      system.collars(
        source,
        (collars, problem) => {
          last = collars;
          show(problem ?? collarsLine(collars));
        },
        signal,
      ),
    );
    const [heard] = last.filter(({ collar }) => !cats.some((cat) => cat.collar === collar));
    if (heard === undefined) ask.tell('no other collar was heard');
    else {
      const name = await ask.text(`heard ${collarsLine([heard])}: name of the cat (empty: none)`, '');
      if (name !== '') cats.push({ collar: heard.collar, name });
    }
    if (!(await ask.confirm('another collar?', false))) return cats;
  }
}

export function collarsLine(collars: readonly HeardOf[]): string {
  if (collars.length === 0) return 'listening: nothing yet';
  const shaken = collars.some(({ shakes }) => shakes > 0);
  return collars
    .filter(({ shakes }) => shakes > 0 || !shaken)
    .map(({ collar, readings, shakes }) => (shaken ? `${collar} shaken ×${shakes}` : `${collar} ×${readings}`))
    .join(', ');
}

interface Broker {
  readonly mqtt: Settings;
  readonly secret: string | null;
  /** The one that central brings along. */
  readonly broker?: Settings;
}

async function askBroker(
  ask: Prompter,
  system: InitSystem,
  { role, isSet }: { readonly role: Role; readonly isSet: boolean },
): Promise<Broker> {
  if (isSet) return { mqtt: { ...LOCAL_BROKER }, secret: null };
  ask.tell('  looking for brokers …');
  const found = await system.brokers();
  // Where something listens already, its port is taken.
  const isFree = !found.some(({ mqtt }) => mqtt.url === LOCAL_BROKER.url);
  const own: Choice<'own'>[] = [
    { label: 'the one that collard central brings along: nothing to install', value: 'own' },
  ];
  for (;;) {
    const chosen = await ask.choose<MqttSettings | 'own' | 'typed' | 'none'>('which MQTT broker?', [
      ...found.map(({ how, mqtt }) => ({ label: how, value: mqtt })),
      ...(role !== 'agent' && isFree ? own : []),
      { label: 'another one: type its address', value: 'typed' },
      { label: 'none yet: events are kept in the log, and sent when there is one at 127.0.0.1', value: 'none' },
    ]);
    if (chosen === 'own') return { mqtt: { ...LOCAL_BROKER }, secret: null, broker: await askOwnBroker(ask, role) };
    if (chosen === 'none') return { mqtt: { ...LOCAL_BROKER }, secret: null };
    const target = chosen === 'typed' ? { url: await askAddress(ask) } : chosen;
    const { mqtt, login } = await askLogin(ask, target);
    const findings = await system.test({ ...mqtt, ...login });
    for (const { result, message } of findings) ask.tell(`  ${result}: ${message}`);
    const isReached = findings.some(({ check, result }) => check === 'broker' && result === 'ok');
    if (isReached || (await ask.confirm('it does not work now: take it all the same?', false))) {
      const { username, password = null } = login;
      return { mqtt: { ...mqtt, ...(username === undefined ? {} : { username }) }, secret: password };
    }
  }
}

function askAddress(ask: Prompter): Promise<string> {
  const wrong = (text: string) =>
    /^(?:mqtts?|wss?|srv|mdns|etcd(?:\+http)?):\/\/[^\s/]+/.test(text)
      ? null
      : 'such as mqtt://192.168.1.5:1883 or mqtts://broker.example.org';
  return ask.text('address of the broker', '', wrong);
}

async function askLogin(ask: Prompter, target: MqttSettings): Promise<{ mqtt: MqttSettings; login: Login }> {
  const username = await ask.text('user name at the broker (empty: none)', '');
  if (username === '') return { mqtt: target, login: {} };
  const password = await ask.secret('password (not shown; empty: none)');
  const login = { username, ...(password === '' ? {} : { password }) };
  if (target.discover?.plain !== true) return { mqtt: target, login };
  // Without it no password goes to a broker that was found and has no TLS.
  const isSent = await ask.confirm(
    'it has no TLS: whoever listens on this network reads the password. Send it?',
    false,
  );
  return { mqtt: { ...target, discover: { plain: true, plainPassword: isSent } }, login };
}

/** An agent alone, for Home Assistant or Node-RED. */
async function askNoCentral(ask: Prompter): Promise<boolean> {
  return ask.choose('who keeps the events?', [
    { label: 'collard central, here or elsewhere: an event counts as delivered once it is stored there', value: false },
    { label: 'there is no central: what the broker has taken counts as delivered', value: true },
  ]);
}
