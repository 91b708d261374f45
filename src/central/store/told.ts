/** Topics of retained messages, as rows of `meta`: few, and no part of any model. */
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';
import type { ToldStore } from './told-store.ts';

/** Of a row's value; a longer topic is not remembered. */
const MAX_TOPIC_LENGTH = 255;

export function createTold(db: Kysely<Tables>): ToldStore {
  return {
    async toldTopics() {
      const rows = await db
        .selectFrom('meta')
        .select('value')
        .where('name', 'like', 'told.%')
        .orderBy('value')
        .execute();
      return rows.map(({ value }) => value);
    },
    async rememberTold(topics) {
      const fitting = topics.filter((topic) => topic.length <= MAX_TOPIC_LENGTH);
      await insertOnce(
        db,
        'meta',
        fitting.map((value) => ({ name: nameOf(value), value })),
      );
    },
    async forgetTold(topic) {
      await db.deleteFrom('meta').where('name', '=', nameOf(topic)).execute();
    },
  };
}

function nameOf(topic: string): string {
  return `told.${createHash('sha256').update(topic).digest('hex').slice(0, 32)}`;
}
