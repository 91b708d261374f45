/**
 * Configuration files: read, or refused with a ConfigError that names no secret, in bounded time. The first byte of an input
 * chooses the schema and whether the password stands in the file or in the environment.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_SECRETS, agentSchema } from '../../../src/agent/config.ts';
import { CENTRAL_SECRETS, centralSchema } from '../../../src/central/config.ts';
import { ConfigError, configReader, masked } from '../../../src/lib/config-file.ts';
import { bytes, type FuzzTarget, hold, openFolder } from '../target.ts';

const CANARY = 'canary-7f3a91';
const SIDES = [
  { read: configReader<unknown>(agentSchema), secrets: AGENT_SECRETS },
  { read: configReader<unknown>(centralSchema), secrets: CENTRAL_SECRETS },
] as const;
/** In front of what is mutated, so that it is the password whatever follows. */
const MQTT = `mqtt: { url: "mqtt://u:${CANARY}@h:1883", password: "${CANARY}" }\n`;

export function open(): FuzzTarget {
  const folder = openFolder();
  const file = join(folder, 'some.yaml');
  const sample = (name: string) => readFileSync(new URL(`../../../config/${name}.yaml`, import.meta.url), 'utf8');
  const bare = (text: string) => text.replaceAll(/^\s*#.*\n|\s+#.*$/gm, '');
  return {
    seeds: [
      `\u0000${bare(sample('agent'))}`,
      `\u0001${bare(sample('central'))}`,
      '\u0002agent: porch\nsources: [{ serial: /dev/x, format: frame }]\nlog: { path: /x }\n',
      '\u0003store: { url: "sqlite:/x" }\nrules: [{ rule: shaking, meows: 3 }, { rule: still }]\n',
      '\u0002agent: porch\nsources: [{ file: x, fromat: csv, columns: [a, b], unit: 9.81, fields: { collar: id } }]\nlog: {}\n',
      '\u0000a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n<<: *c\n? [k]\n: |\n  text\n...\n---\n!!set {x}\n',
    ].map(bytes),
    words: [
      '&a ',
      '*a',
      '<<: ',
      '[*a,*a]',
      '!!binary ',
      '!!map ',
      '%YAML 1.1\n---\n',
      '? ',
      ': ',
      '- ',
      '|-\n',
      '"\\u',
      '__proto__: ',
      'mqtt:',
      'password:',
      '\n  ',
    ],
    maxBytes: 1_500,
    usualBytes: 200,
    run(input) {
      const choice = input[0] ?? 0;
      const side = SIDES[choice & 1] ?? SIDES[0];
      const inFile = (choice & 2) !== 0;
      writeFileSync(file, Buffer.concat([bytes(inFile ? MQTT : ''), input.subarray(1)]));
      const env = inFile ? {} : { COLLARD_MQTT_PASSWORD: CANARY, COLLARD_MQTT_URL: `mqtt://u:${CANARY}@h` };
      try {
        const { value, origin, warnings } = side.read(file, { env, secrets: side.secrets });
        const { password, url } = (value as { mqtt: { password: string; url: string } }).mqtt;
        hold(password === CANARY, () => `the password is ${password}`);
        const shown = [
          masked('mqtt.password', password, side.secrets),
          masked('mqtt.url', url, side.secrets),
          ...warnings,
        ];
        hold(!shown.join('\n').includes(CANARY), () => `shown: ${shown.join('\n')}`);
        hold(
          origin('mqtt.password').length < 200 && Object.getPrototypeOf(value) === Object.prototype,
          () => 'no plain value',
        );
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const { message, problems } = error;
        hold(!message.includes(CANARY), () => `the password is told: ${message}`);
        hold(problems.length > 0 && problems.length <= 100, () => `${problems.length} problems`);
        hold(message.length < 200_000, () => `a message of ${message.length} characters`);
      }
      hold(!('polluted' in {}) && Object.keys(Object.prototype).length === 0, () => 'Object.prototype has changed');
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
