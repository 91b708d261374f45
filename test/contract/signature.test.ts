import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainHex, chainNext, chainOver, chainStart } from '../../src/contract/chain.ts';
import { decodeBatch, type EventBatch, encodeBatch } from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { decodeSync, encodeSync } from '../../src/contract/message.ts';
import {
  decodeBatchProof,
  encodeBatchProof,
  encodePublicKey,
  keyIdOf,
  parsePublicKey,
  provesBatch,
  provesSync,
  signBatch,
} from '../../src/contract/signature.ts';
import { sortBatch } from '../../src/contract/sorted-batch.ts';
import { anyEvent, anyRun, EPOCH, meow } from './arbitrary.ts';
import { chained, keyOf, newKey, signed, signedSync } from './signing.ts';

const porch = newKey();
const stranger = newKey();
const start = chainStart('porch', EPOCH);
const before = chainNext(start, meow);

describe('the statements', () => {
  /** The first key of RFC 8032, section 7.1. */
  const known = keyOf(
    Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex').toString('base64url'),
    Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex').toString('base64url'),
  );
  const publicKey = createPublicKey(known.privateKey);

  test('of a batch are its kind, agent, epoch, last seq and chain as a JSON array', () => {
    const batch = chained('porch', [meow], start);
    const { signature } = signBatch(known, batch, start);
    const statement = `["collard/head/1","porch","${EPOCH}",1,"${chainHex(batch.chain)}"]`;
    expect(verify(null, Buffer.from(statement), publicKey, signature)).toBe(true);
  });

  test('of a sync are its kind, agent, epoch, first and last seq and chain as a JSON array', () => {
    const sync = signedSync(known, 'porch', { epoch: EPOCH, firstSeq: 3, lastSeq: 9, chain: before });
    const statement = `["collard/sync/1","porch","${EPOCH}",3,9,"${chainHex(before)}"]`;
    expect(verify(null, Buffer.from(statement), publicKey, sync.proof?.signature ?? Buffer.alloc(64))).toBe(true);
  });

  test('name the key by the beginning of its SHA-256', () => {
    expect(keyIdOf(known.publicKey)).toBe('21fe31dfa154a261');
    expect(signBatch(known, chained('porch', [meow], start), start).keyId).toBe('21fe31dfa154a261');
  });

  test('of one kind are none of the other', () => {
    const extent = { epoch: EPOCH, firstSeq: 1, lastSeq: 1, chain: before };
    const { signature } = signBatch(porch, chained('porch', [meow], start), start);
    expect(provesSync('porch', extent, { key: porch.publicKey, signature })).toBe(false);
  });
});

describe('a signed batch', () => {
  test('comes back from the wire as it was, whatever its events are, and proves them', () => {
    fc.assert(
      fc.property(anyRun, (events) => {
        const batch = signed(porch, chained('porch', events, before), before);
        const read = decodeBatch(Buffer.from(encodeBatch(batch)));
        expect(read).toEqual({ ok: true, batch });
        expect(read.ok && isProven(read.batch)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('proves nothing by another key, of another agent or of another epoch', () => {
    const batch = chained('porch', [meow], start);
    const proof = signBatch(porch, batch, start);
    expect(provesBatch(porch.publicKey, batch, proof)).toBe(true);
    expect(provesBatch(stranger.publicKey, batch, proof)).toBe(false);
    expect(provesBatch(porch.publicKey, { ...batch, agent: 'shed' }, proof)).toBe(false);
    const epoch = EPOCH.replace('01', '02');
    expect(provesBatch(porch.publicKey, { ...batch, events: [{ ...meow, epoch }] }, proof)).toBe(false);
  });

  test('proves no events from which the signed chain does not follow, whatever chain they are said to begin at', () => {
    const batch = chained('porch', [{ ...meow, data: '{"level":2}' }], start);
    const { chain } = chained('porch', [meow], start);
    const proof = signBatch(porch, { ...batch, chain }, start);
    expect(provesBatch(porch.publicKey, { ...batch, chain }, proof)).toBe(false);
    expect(provesBatch(porch.publicKey, { ...batch, chain }, { ...proof, before })).toBe(false);
  });

  test('without its proof is read all the same, as unsigned', () => {
    const read = decodeBatch(Buffer.from(encodeBatch(chained('porch', [meow], start))));
    expect(read.ok && read.batch.proof).toBeUndefined();
  });

  test.each([
    ['no signature', { signature: undefined }],
    ['a signature of another length', { signature: 'AAAA' }],
    ['a signature with bits to spare', { signature: `${'A'.repeat(85)}B` }],
    ['a signature that is no text', { signature: 7 }],
    ['no chain before it', { chainbefore: undefined }],
    ['a chain before it that is none', { chainbefore: 'ab' }],
    ['a key id in capitals', { keyid: 'ABCDEF0123456789' }],
    ['no key id', { keyid: undefined }],
  ])('with %s counts as unsigned', (_title, change) => {
    const { proof } = signed(porch, chained('porch', [meow], start));
    if (proof === undefined) throw new Error('not signed');
    expect(decodeBatchProof({ ...encodeBatchProof(proof) })).toEqual(proof);
    expect(decodeBatchProof({ ...encodeBatchProof(proof), ...change })).toBeNull();
  });
});

/** What a stranger between the agent and central can do with what it has seen, without the key. */
type Attack = (
  batch: EventBatch,
  random: readonly [number, number, number],
  other: Omit<StoredEvent, 'seq'>,
) => EventBatch;

const renumbered = (events: readonly StoredEvent[], from: number) =>
  events.map((event, i) => ({ ...event, seq: from + i }));
const first = (batch: EventBatch) => batch.events[0]?.seq ?? 1;
const at = (batch: EventBatch, n: number) => n % batch.events.length;

const attacks: Readonly<Record<string, Attack>> = {
  'drops an event and closes the gap': (batch, [n]) => {
    const rest = batch.events.filter((_, i) => i !== at(batch, n));
    return { ...batch, events: renumbered(rest.length > 0 ? rest : batch.events, first(batch)) };
  },
  'drops the first events': (batch, [n]) => ({ ...batch, events: batch.events.slice(at(batch, n)) }),
  'drops the last events': (batch, [n]) => ({ ...batch, events: batch.events.slice(0, at(batch, n) + 1) }),
  'swaps two events': (batch, [n, m]) => {
    const [a, b] = [at(batch, n), at(batch, m)];
    const events = batch.events.map((event, i) => batch.events[i === a ? b : i === b ? a : i] ?? event);
    return { ...batch, events: renumbered(events, first(batch)) };
  },
  'doubles an event': (batch, [n]) => {
    const event = batch.events[at(batch, n)] ?? meow;
    return { ...batch, events: renumbered(batch.events.toSpliced(at(batch, n), 0, event), first(batch)) };
  },
  'puts another in its place': (batch, [n], other) => ({
    ...batch,
    events: batch.events.map((event, i) => (i === at(batch, n) ? { ...other, seq: event.seq } : event)),
  }),
  'moves all of them': (batch, [n]) => ({ ...batch, events: renumbered(batch.events, first(batch) + 1 + (n % 1_000)) }),
};

/** The same attacker, who then makes the chains fit as far as that can be done. */
function mend(attacked: EventBatch, original: EventBatch, how: number): EventBatch {
  const { proof } = attacked;
  if (proof === undefined || how % 3 === 0) return attacked;
  if (how % 3 === 1) return { ...attacked, chain: chainOver(proof.before, attacked.events) };
  const skipped = original.events.filter(({ seq }) => seq < first(attacked));
  return { ...attacked, proof: { ...proof, before: chainOver(proof.before, skipped) } };
}

const isProven = (batch: EventBatch) =>
  batch.proof !== undefined && batch.agent === 'porch' && provesBatch(porch.publicKey, batch, batch.proof);

/** Nothing, or what the agent wrote under these numbers; and no hole where it wrote an event. */
function expectFoundOrTrue(payload: Uint8Array, original: EventBatch): void {
  const written = (from: number) => original.events.filter(({ seq }) => seq >= from);
  const read = decodeBatch(payload);
  if (read.ok && isProven(read.batch)) expect(read.batch.events).toEqual(written(first(read.batch)));
  const sorted = sortBatch(payload);
  if (!sorted.ok) return;
  const { batch } = sorted;
  const { agent, chain, chained, proof } = batch;
  if (agent !== 'porch' || chain === null || chained === null || proof === undefined) return;
  if (!provesBatch(porch.publicKey, { agent, events: chained, chain }, proof)) return;
  expect(batch.bad).toEqual([]);
  expect(batch.events).toEqual(written(batch.events[0]?.seq ?? 0));
}

describe('of a batch between the agent and central', () => {
  const random = fc.tuple(fc.nat(), fc.nat(), fc.nat());

  test('every change of one bit is found, or changes nothing that is stored', () => {
    fc.assert(
      fc.property(anyRun, fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), (events, bits) => {
        const batch = signed(porch, chained('porch', events, before), before);
        const payload = Buffer.from(encodeBatch(batch));
        for (const bit of bits) {
          const mutant = Buffer.from(payload);
          const index = (bit >> 3) % mutant.length;
          mutant[index] = (mutant[index] ?? 0) ^ (1 << (bit & 7));
          expectFoundOrTrue(mutant, batch);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('what is not hashed makes no hole where it is spoilt', () => {
    const spoilt = [
      ['"specversion":"1.0"', '"specversion":"2.0"'],
      ['/collard/agent/porch"', '/collard/agent/shed"'],
      [`"id":"${EPOCH}/2"`, `"id":"${EPOCH}/3"`],
      ['"seq":2', '"seq":"2"'],
    ] as const;
    const events = [1, 2, 3].map((seq) => ({ ...meow, seq }));
    const batch = signed(porch, chained('porch', events, start));
    const payload = encodeBatch(batch);
    const second = payload.indexOf('"specversion"', payload.indexOf('"specversion"') + 1);
    for (const [from, to] of spoilt) {
      const mutant = payload.slice(0, second) + payload.slice(second).replace(from, to);
      expect(mutant).not.toBe(payload);
      expectFoundOrTrue(Buffer.from(mutant), batch);
    }
  });

  test.each(Object.keys(attacks))('it is found when somebody %s', (name) => {
    fc.assert(
      fc.property(anyRun, random, anyEvent, (events, numbers, other) => {
        const batch = signed(porch, chained('porch', events, before), before);
        const attacked = mend(attacks[name]?.(batch, numbers, other) ?? batch, batch, numbers[2]);
        expectFoundOrTrue(Buffer.from(encodeBatch(attacked)), batch);
      }),
      { numRuns: 500 },
    );
  });

  test('a receiver that looked at the signature alone would take other events under it', () => {
    const batch = signed(porch, chained('porch', [meow], start));
    const forged = { ...batch, events: [{ ...meow, data: '{"level":9}' }] };
    const { publicKey } = porch;
    const head = Buffer.from(`["collard/head/1","porch","${EPOCH}",1,"${chainHex(forged.chain)}"]`);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: encodePublicKey(publicKey) }, format: 'jwk' });
    expect(verify(null, head, key, forged.proof?.signature ?? Buffer.alloc(64))).toBe(true);
    expect(isProven(forged)).toBe(false);
  });
});

describe('a signed sync', () => {
  const extent = { epoch: EPOCH, firstSeq: 3, lastSeq: 9, chain: before };

  test('comes back from the wire as it was', () => {
    const sync = signedSync(porch, 'porch', extent);
    expect(decodeSync(Buffer.from(encodeSync(sync)))).toEqual(sync);
    expect(decodeSync(Buffer.from(encodeSync(extent)))).toEqual(extent);
  });

  test.each([
    ['another agent', 'shed', {}],
    ['a later first seq, which would make a gap', 'porch', { firstSeq: 4 }],
    ['another last seq', 'porch', { lastSeq: 10 }],
    ['another chain', 'porch', { chain: start }],
    ['another epoch', 'porch', { epoch: EPOCH.replace('01', '02') }],
  ])('says nothing of %s', (_title, agent, change) => {
    const { proof } = signedSync(porch, 'porch', extent);
    if (proof === undefined) throw new Error('not signed');
    expect(provesSync('porch', extent, proof)).toBe(true);
    expect(provesSync(agent, { ...extent, ...change }, proof)).toBe(false);
  });

  test('with half a proof counts as unsigned', () => {
    const whole = JSON.parse(encodeSync(signedSync(porch, 'porch', extent))) as Record<string, unknown>;
    for (const name of ['key', 'signature']) {
      const { [name]: _, ...half } = whole;
      expect(decodeSync(Buffer.from(JSON.stringify(half)))).toEqual(extent);
    }
  });
});

describe('a public key as text', () => {
  const text = encodePublicKey(porch.publicKey);

  test('is read as people pass it on: base64url or base64, with blanks around', () => {
    expect(parsePublicKey(text)).toEqual(Buffer.from(porch.publicKey));
    expect(parsePublicKey(` ${Buffer.from(porch.publicKey).toString('base64')}\n`)).toEqual(
      Buffer.from(porch.publicKey),
    );
  });

  test.each(['', 'porch', text.slice(1), `${text}AAAA`, '-----BEGIN PUBLIC KEY-----'])(
    'is not read from "%s"',
    (wrong) => {
      expect(parsePublicKey(wrong)).toBeNull();
    },
  );
});
