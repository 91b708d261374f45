/** What a new installation is to be: settings by dotted path, given to the side that knows them, checked, and put into its example. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { z } from 'zod';
import { AGENT_SECRETS, agentSchema } from '../agent/config.ts';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { ConfigError, loadConfig } from '../lib/config-file.ts';
import { exampleOf } from './example.ts';
import { fillExample, type Settings } from './example-yaml.ts';
import { CommandError, EXIT } from './exit.ts';

export const ROLES = ['agent', 'central', 'both'] as const;
export type Role = (typeof ROLES)[number];
export type Side = 'agent' | 'central';

export const SIDES: Readonly<Record<Side, { readonly schema: z.ZodObject; readonly secrets: readonly string[] }>> = {
  agent: { schema: agentSchema, secrets: AGENT_SECRETS },
  central: { schema: centralSchema, secrets: CENTRAL_SECRETS },
};

export function sidesOf(role: Role): readonly Side[] {
  return role === 'both' ? ['central', 'agent'] : [role];
}

/** From texts such as `mqtt.url=mqtt://broker` and `sources[0].baud=9600`. Throws CommandError. */
export function parseSets(sets: readonly string[]): Settings {
  const all: Settings = {};
  for (const text of sets) {
    const at = text.indexOf('=');
    const path = (at < 0 ? text : text.slice(0, at)).split(/[.[\]]+/).filter((step) => step !== '');
    if (at < 1 || path.length === 0)
      throw unusable(`--set ${text}: it must be key=value`, '--set mqtt.url=mqtt://broker:1883');
    if (isSecret(path)) {
      const fix =
        'leave it out and set COLLARD_MQTT_PASSWORD, or write the file mqtt.password in /etc/collard/credentials';
      throw unusable(
        `--set ${path.join('.')}: secrets are not taken from the command line, where others can read them`,
        fix,
      );
    }
    put(all, path, parseValue(text.slice(at + 1)));
  }
  return all;
}

/** Any value of YAML; what is none is a text. */
function parseValue(text: string): unknown {
  try {
    return parse(text) ?? '';
  } catch {
    return text;
  }
}

function isSecret(path: readonly string[]): boolean {
  const name = path
    .map((step) => (/^\d+$/.test(step) ? '[]' : step))
    .join('.')
    .replaceAll('.[]', '[]');
  const secrets = [...AGENT_SECRETS, ...CENTRAL_SECRETS].filter((secret) => !/(^|\.)url$/.test(secret));
  return secrets.some((secret) => name === secret || name.startsWith(`${secret}.`));
}

function put(into: Settings, path: readonly string[], value: unknown): void {
  const [step = '', ...rest] = path;
  if (['__proto__', 'constructor', 'prototype'].includes(step)) throw unusable(`--set: there is no key ${step}`, null);
  if (rest.length === 0) {
    into[step] = value;
    return;
  }
  const known = into[step];
  const inner = typeof known === 'object' && known !== null ? known : /^\d+$/.test(rest[0] ?? '') ? [] : {};
  into[step] = inner;
  put(inner as Settings, rest, value);
}

/** `mqtt` belongs to both, all else to the side that has such a key. Throws CommandError where none has. */
export function forSide(all: Settings, side: Side, role: Role): Settings {
  const own: Settings = {};
  for (const [key, value] of Object.entries(all)) {
    if (key in SIDES[side].schema.shape) own[key] = value;
    else if (!sidesOf(role).some((other) => key in SIDES[other].schema.shape)) {
      throw unusable(`--set ${key}: there is no such key`, `collard config show --example ${side}`);
    }
  }
  return own;
}

/** Settings of `weak` where `strong` has none. */
export function merged(weak: Settings, strong: Settings): Settings {
  const all = { ...weak };
  for (const [key, value] of Object.entries(strong)) {
    const below = all[key];
    const both = isSection(below) && isSection(value);
    all[key] = both ? merged(below, value) : value;
  }
  return all;
}

/** The text of the file. Throws CommandError with everything that is wrong with the settings. */
export function render(side: Side, settings: Settings): string {
  const { schema, secrets } = SIDES[side];
  const folder = mkdtempSync(join(tmpdir(), 'collard-init-'));
  try {
    const file = join(folder, 'settings');
    writeFileSync(file, stringify(settings), { mode: 0o600 });
    loadConfig(file, schema, { env: {}, secrets });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const faults = error.problems.map(({ message }) => `${side}: ${message}`).join('\n');
    throw unusable(faults, `collard config show --example ${side} tells what each setting may be`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return fillExample(exampleOf(side), settings);
}

function isSection(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unusable(message: string, fix: string | null): CommandError {
  return new CommandError(EXIT.usage, message, fix);
}
