/** A rule of the watchdog as people say it. Pure. */
import type { Rule } from './types.ts';

export function ruleText({ rule, meows, seconds, withinMinutes, hours }: Rule): string {
  switch (rule) {
    case 'shaking': {
      const often = `${count(meows, 'meow')} within ${count(withinMinutes, 'minute')}`;
      return `Shakes too much: ${often}${seconds === undefined ? '' : `, or ${count(seconds, 'second')} of it`}`;
    }
    case 'still':
      return `Does not move for ${count(hours, 'hour')}`;
    case 'silent':
      return `Its collar is not heard for ${count(hours, 'hour')}`;
    case 'battery':
      return 'The battery of its collar is low';
  }
}

function count(number: number | undefined, what: string): string {
  if (number === undefined) return `some ${what}s`;
  return `${number.toLocaleString()} ${what}${number === 1 ? '' : 's'}`;
}

/** For `rules` in central.yaml: this rule, for this cat alone. */
export function ruleYaml({ rule, meows, seconds, withinMinutes, hours }: Rule, cat: string): string {
  const limits = { meows, seconds, withinMinutes, hours };
  const told = Object.entries(limits).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `- { ${[`rule: ${rule}`, ...told, `cat: ${JSON.stringify(cat)}`].join(', ')} }`;
}
