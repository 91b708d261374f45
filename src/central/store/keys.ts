/** The public keys of agents: enrolled by a person, or by their first word. A revoked key stays, so that it is known as such. */
import type { Kysely } from 'kysely';
import { encodePublicKey, keyIdOf, parsePublicKey } from '../../contract/signature.ts';
import { agentNo, type Db, noOf } from './agents.ts';
import type { AgentKey, KeyStore } from './key-store.ts';
import type { AgentRow } from './store.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/** Of one agent, revoked ones included: a key a year is enough for anybody. */
export const MAX_KEYS_PER_AGENT = 64;

export function createKeys(db: Kysely<Tables>): KeyStore {
  return {
    keys: (agent) => readKeys(db, agent),
    enrollKey: (agent, key, how, now) =>
      transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        const known = await readKeys(trx, agent);
        if (how === 'first-use' && known.length > 0) return null;
        const agent_no = await agentNo(trx, agent);
        const public_key = encodePublicKey(key);
        if (known.some(({ keyId }) => keyId === keyIdOf(key))) {
          await trx
            .updateTable('agent_key')
            .set({ how, since: now, revoked_at: null })
            .where('agent_no', '=', agent_no)
            .where('public_key', '=', public_key)
            .execute();
        } else {
          if (known.length >= MAX_KEYS_PER_AGENT) throw tooMany(agent);
          await trx
            .insertInto('agent_key')
            .values({ agent_no, public_key, how, since: now, revoked_at: null })
            .execute();
        }
        return (await readKeys(trx, agent)).find(({ keyId }) => keyId === keyIdOf(key)) ?? null;
      }),
    revokeKeys: (agent, keyId, now) =>
      transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        const living = (await readKeys(trx, agent)).filter((key) => key.revokedAt === null);
        const gone = living.filter((key) => keyId === null || key.keyId === keyId);
        for (const { key } of gone) {
          await trx
            .updateTable('agent_key')
            .set({ revoked_at: now })
            .where('agent_no', '=', await agentNo(trx, agent))
            .where('public_key', '=', encodePublicKey(key))
            .execute();
        }
        return gone.map((key) => ({ ...key, revokedAt: now }));
      }),
  };
}

/** Of one agent, or of all; by agent, oldest first. */
async function readKeys(db: Db, agent?: string): Promise<readonly AgentKey[]> {
  const columns = ['agent_key.public_key', 'agent_key.how', 'agent_key.since', 'agent_key.revoked_at'] as const;
  const keys = db.selectFrom('agent_key').select(columns).orderBy('agent_key.since');
  const rows =
    agent === undefined
      ? await db
          .selectFrom('agent_key')
          .innerJoin('agent', 'agent.no', 'agent_key.agent_no')
          .select([...columns, 'agent.name'])
          .orderBy('agent.name')
          .orderBy('agent_key.since')
          .execute()
      : (await keys.where('agent_no', '=', (eb) => noOf(eb, agent)).execute()).map((row) => ({ ...row, name: agent }));
  return rows.flatMap(({ name, public_key, how, since, revoked_at }) => {
    const key = parsePublicKey(public_key);
    if (key === null) return [];
    const by = how === 'first-use' ? how : 'enrolled';
    return [{ agent: name, key, keyId: keyIdOf(key), how: by, since, revokedAt: revoked_at } satisfies AgentKey];
  });
}

/** What is to be expected of an agent with these keys. */
export function signedBy(keys: readonly AgentKey[]): AgentRow['signed'] {
  if (keys.length === 0) return 'unsigned';
  const living = keys.filter(({ revokedAt }) => revokedAt === null);
  if (living.length === 0) return 'revoked';
  return living.some(({ how }) => how === 'enrolled') ? 'verified' : 'first-use';
}

function tooMany(agent: string): Error {
  const text = `${agent} has ${MAX_KEYS_PER_AGENT} keys: no more can be enrolled`;
  return Object.assign(new Error(text), { code: 'TOO_MANY_KEYS' });
}
