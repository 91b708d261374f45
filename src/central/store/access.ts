/** Password, sessions and tokens as rows. Whoever reads the store learns none of them. */
import type { Kysely } from 'kysely';
import type { AccessStore, TokenRow } from './access-store.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/** Browsers that are logged in at once; with one more, the one that was not used for longest is logged out. */
export const MAX_SESSIONS = 100;
export const MAX_TOKENS = 100;
/** Its row in `meta`. */
const PASSWORD = 'access.password';

export function createAccess(db: Kysely<Tables>): AccessStore {
  return {
    passwordHash: () => readHash(db),
    setPassword: (hash) =>
      transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        if (hash === null) await trx.deleteFrom('meta').where('name', '=', PASSWORD).execute();
        else {
          await insertOnce(trx, 'meta', [{ name: PASSWORD, value: hash }]);
          await trx.updateTable('meta').set({ value: hash }).where('name', '=', PASSWORD).execute();
        }
        await trx.deleteFrom('login_session').execute();
      }),
    openSession: (id, passwordHash, nowMs) =>
      transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        if ((await readHash(trx)) !== passwordHash) return false;
        const all = await trx
          .selectFrom('login_session')
          .select('id')
          .orderBy('seen_ms', 'desc')
          .orderBy('id')
          .execute();
        const surplus = all.slice(MAX_SESSIONS - 1).map((row) => row.id);
        if (surplus.length > 0) await trx.deleteFrom('login_session').where('id', 'in', surplus).execute();
        await trx.insertInto('login_session').values({ id, opened_ms: nowMs, seen_ms: nowMs }).execute();
        return true;
      }),
    async session(id) {
      const row = await db.selectFrom('login_session').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : { openedMs: row.opened_ms, seenMs: row.seen_ms };
    },
    async seeSession(id, nowMs) {
      await db.updateTable('login_session').set({ seen_ms: nowMs }).where('id', '=', id).execute();
    },
    async endSession(id) {
      await db.deleteFrom('login_session').where('id', '=', id).execute();
    },
    addToken: ({ name, scope, hash }, now) =>
      transact(db, async (trx) => {
        await takeLock(trx, 'registry');
        const names = (await trx.selectFrom('api_token').select('name').execute()).map((row) => row.name);
        if (names.includes(name)) throw failure('TOKEN_EXISTS', `there is a token ${name} already`);
        if (names.length >= MAX_TOKENS) throw failure('TOO_MANY_TOKENS', `there are ${MAX_TOKENS} tokens: revoke one`);
        await trx.insertInto('api_token').values({ hash, name, scope, created: now, last_used: null }).execute();
      }),
    async tokens() {
      return (await db.selectFrom('api_token').selectAll().orderBy('name').execute()).map(tokenOf);
    },
    async tokenOf(hash) {
      const row = await db.selectFrom('api_token').selectAll().where('hash', '=', hash).executeTakeFirst();
      return row === undefined ? null : tokenOf(row);
    },
    async seeToken(hash, now) {
      await db.updateTable('api_token').set({ last_used: now }).where('hash', '=', hash).execute();
    },
    async revokeToken(name) {
      const { numDeletedRows } = await db.deleteFrom('api_token').where('name', '=', name).executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

async function readHash(db: Pick<Kysely<Tables>, 'selectFrom'>): Promise<string | null> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', PASSWORD).executeTakeFirst();
  return row?.value ?? null;
}

function tokenOf({ name, scope, created, last_used }: Tables['api_token']): TokenRow {
  return { name, scope: scope === 'command' ? 'command' : 'read', created, lastUsed: last_used };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
