import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ruleText, ruleYaml } from '../../../../src/central/api/page/rule-text.ts';
import type { Rule } from '../../../../src/central/api/page/types.ts';
import { centralSchema } from '../../../../src/central/config.ts';

const rules: readonly (readonly [Rule, string])[] = [
  [{ rule: 'shaking', own: false, meows: 20, withinMinutes: 10 }, 'Shakes too much: 20 meows within 10 minutes'],
  [
    { rule: 'shaking', own: true, meows: 60, seconds: 120, withinMinutes: 1 },
    'Shakes too much: 60 meows within 1 minute, or 120 seconds of it',
  ],
  [{ rule: 'still', own: false, hours: 12 }, 'Does not move for 12 hours'],
  [{ rule: 'silent', own: false, hours: 1 }, 'Its collar is not heard for 1 hour'],
  [{ rule: 'battery', own: false }, 'The battery of its collar is low'],
];

test.each(rules)('%j is told', (rule, text) => {
  expect(ruleText(rule)).toBe(text);
});

test.each(rules)('%j as a line of the configuration is read as it is meant, whatever the cat is called', (rule) => {
  for (const cat of ['Mia', 'D\'Artagnan "the" #1: yes', '7']) {
    const yaml = parse(`rules:\n  ${ruleYaml(rule, cat)}\n`) as unknown;
    const read = z.object({ rules: centralSchema.shape.rules }).parse(yaml);
    const { own: _, ...limits } = rule;
    expect(read.rules).toEqual([{ ...limits, cat }]);
  }
});
