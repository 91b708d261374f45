/** What `collard init` asks about the broker that central brings along: who is to reach it. */
import { hashPassword, passwordFault } from '../central/api/password.ts';
import { AGENT_NAME, CENTRAL_AGENT } from '../contract/topic.ts';
import type { Settings } from './example-yaml.ts';
import type { MqttSettings } from './init-brokers.ts';
import type { Role } from './init-settings.ts';
import type { Prompter } from './prompt.ts';

/** Where it is reached from the machine that it runs on. */
export const LOCAL_BROKER: MqttSettings = { url: 'mqtt://127.0.0.1:1883' };

/** Settings of `broker` in central.yaml. */
export async function askOwnBroker(ask: Prompter, role: Role): Promise<Settings> {
  const here = { label: 'this machine only: its own agent, and nobody else', value: false };
  const others = { label: 'agents on other machines of this network too, each with a password', value: true };
  const isWide = await ask.choose('who is to reach it?', role === 'both' ? [here, others] : [others, here]);
  if (!isWide) return { enabled: true };
  const accounts: { name: string; may: 'agent'; password: string }[] = [];
  for (;;) {
    const first = accounts.length === 0;
    const wrong = (name: string) =>
      name === '' && !first
        ? null
        : faultOf(
            name,
            accounts.map((one) => one.name),
          );
    const more = first ? '' : ' (empty: no more)';
    const name = await ask.text(`name of ${first ? 'an' : 'another'} agent on another machine${more}`, '', wrong);
    if (name === '') break;
    const password = await askPassword(ask, name);
    accounts.push({ name, may: 'agent', password: await hashPassword(password) });
  }
  ask.tell('  without TLS: whoever listens on this network reads what passes; broker.tls in central.yaml changes that');
  return { enabled: true, host: '0.0.0.0', mdns: true, accounts };
}

function faultOf(name: string, taken: readonly string[]): string | null {
  if (taken.includes(name)) return 'it has a password already';
  if (AGENT_NAME.test(name) && name !== CENTRAL_AGENT) return null;
  return 'letters, digits, - and _, at most 64, and not "central"';
}

async function askPassword(ask: Prompter, name: string): Promise<string> {
  for (;;) {
    const password = await ask.secret(`new password of ${name} (not shown)`);
    const fault = passwordFault(password);
    if (fault === null) return password;
    ask.tell(`  ${fault}`);
  }
}
