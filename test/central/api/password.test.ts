import { describe, expect, test } from 'vitest';
import {
  hashPassword,
  isPassword,
  MAX_PASSWORD_LENGTH,
  MIN_PASSWORD_LENGTH,
  passwordFault,
} from '../../../src/central/api/password.ts';
import { CHEAP } from './serving.ts';

describe('a password', () => {
  test('is known again by its hash, which holds its own cost and is another one each time', async () => {
    const [first, second] = [await hashPassword('correct horse'), await hashPassword('correct horse', CHEAP)];
    expect(first).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[\w-]{22}\$[\w-]{43}$/);
    expect(second).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$/);
    expect(await hashPassword('correct horse', CHEAP)).not.toBe(second);
    for (const hash of [first, second]) {
      expect(await isPassword('correct horse', hash)).toBe(true);
      expect(await isPassword('correct horsf', hash)).toBe(false);
      expect(await isPassword('', hash)).toBe(false);
      // It must fit a row of `meta`.
      expect(hash.length).toBeLessThan(255);
    }
  });

  test('is the same however its letters were typed', async () => {
    expect(await isPassword('Kätzchen-Glöckchen', await hashPassword('Ka\u0308tzchen-Glo\u0308ckchen', CHEAP))).toBe(
      true,
    );
  });

  test('has enough characters, and not too many', () => {
    expect(passwordFault('x'.repeat(MIN_PASSWORD_LENGTH - 1))).toContain(`at least ${MIN_PASSWORD_LENGTH}`);
    expect(passwordFault('🐈'.repeat(MIN_PASSWORD_LENGTH))).toBeNull();
    expect(passwordFault('x'.repeat(MAX_PASSWORD_LENGTH + 1))).toContain(`at most ${MAX_PASSWORD_LENGTH}`);
  });

  test.each(['', 'correct horse', '$scrypt$ln=31,r=8,p=1$c2FsdA$aGFzaA', '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA'])(
    'is never right where the hash is none of ours: %s',
    async (hash) => {
      await expect(isPassword('correct horse', hash)).rejects.toThrow('set it again');
    },
  );
});
