/** From a claim in etcd to a token in the store. */
import type { Etcd } from '../../etcd/gateway.ts';
import { type Duty, isFenced, type OwnerParts } from './ownership.ts';
import type { Keys } from './view.ts';

/** So often others may raise the base while we do. */
const TRIES = 10;

export interface TakeParts extends Pick<OwnerParts, 'take'> {
  readonly etcd: Etcd;
  readonly keys: Keys;
  /** Of the store; waits for one that is away. */
  readonly highestToken: (signal: AbortSignal) => Promise<number>;
}

/** Rejects with code FENCED where the claim is not ours any more and somebody else has the duty, or with ETCD_AWAY. */
export async function takeByClaim(
  parts: TakeParts,
  duty: Duty,
  revision: number,
  signal: AbortSignal,
): Promise<number> {
  const { etcd, keys, take, highestToken } = parts;
  const key = keys.duty(duty);
  for (let tries = 1; ; tries += 1) {
    const base = await readBase(parts, signal);
    try {
      return await take(duty, base.value + revision, signal);
    } catch (error) {
      if (!isFenced(error) || tries === TRIES) throw error;
      // Only with a claim that stands: who was asleep since it was made must not come before those who followed.
      const claim = (await etcd.range(key, signal)).entries.find((entry) => entry.key === key);
      if (claim?.createRevision !== revision) throw error;
      const value = String(await highestToken(signal));
      const still = [
        { key, createRevision: revision },
        { key: keys.base, modRevision: base.modRevision },
      ];
      await etcd.commit(still, [{ put: keys.base, value }], signal);
    }
  }
}

async function readBase(
  { etcd, keys, highestToken }: TakeParts,
  signal: AbortSignal,
): Promise<{ readonly value: number; readonly modRevision: number }> {
  for (;;) {
    const { entries } = await etcd.range(keys.base, signal);
    const entry = entries.find(({ key }) => key === keys.base);
    if (entry !== undefined) return { value: Number(entry.value), modRevision: entry.modRevision };
    const value = String(await highestToken(signal));
    await etcd.commit([{ key: keys.base, createRevision: 0 }], [{ put: keys.base, value }], signal);
  }
}
