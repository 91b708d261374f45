/** What the routes for whoever looks after agents and centrals answer. */
import { z } from 'zod';

const time = z.string().describe('RFC 3339 in UTC');

export const agentPath = z.object({ agent: z.string().max(64) });

export const gapsAnswer = z.object({
  gaps: z.array(
    z.object({
      epoch: z.string(),
      fromSeq: z.int(),
      toSeq: z.int(),
      reason: z.string().nullable().describe('why these will never come; null: they are awaited'),
      noted: time.nullable(),
    }),
  ),
});

const worker = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  http: z.string().describe('where its page is'),
  version: z.string(),
  startedAt: time,
  heardAt: time,
  isThere: z.boolean(),
  leads: z.boolean(),
  shards: z.int(),
});

const shard = z.object({
  shard: z.string().describe('`s17`'),
  worker: z.string().nullable().describe('who has it now; null: nobody that is there'),
  owner: z.string().nullable().describe('who wrote to it last'),
  token: z.int(),
  arrived: z.int(),
  positioned: z.int(),
  projected: z.int(),
  waiting: z.int().describe('stored, and not folded yet'),
  awaited: z.int().describe('known to exist, and above the mark'),
  oldestWaiting: time.nullable(),
  epochs: z.array(z.object({ agent: z.string(), epoch: z.string(), mark: z.int(), highestSeq: z.int() })),
});

export const centralAnswer = z.object({
  shared: z.boolean().describe('by the configuration there are several'),
  lead: z.string().nullable(),
  etcd: z.string().nullable().describe('why etcd was not asked'),
  concerns: z.array(z.string()).describe('what is wrong, for who must act'),
  workers: z.array(worker),
  shards: z.array(shard).describe('those that were ever written to'),
});
