/** The commented examples, with a line that tells an editor where their schema is: wherever they are put, it is found. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** `# yaml-language-server: $schema=…`, which the YAML server of editors reads. */
const MODELINE = /^# yaml-language-server: \$schema=.*\n/;

export function exampleOf(side: 'agent' | 'central'): string {
  const text = readFileSync(new URL(`../../config/${side}.yaml`, import.meta.url), 'utf8');
  const schema = fileURLToPath(new URL(`../../dist/config/${side}.schema.json`, import.meta.url));
  return text.replace(MODELINE, () => `# yaml-language-server: $schema=${schema}\n`);
}
