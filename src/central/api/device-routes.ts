/** For whoever looks after agents and centrals: what is lost and awaited, and who of several centrals does what. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { agentPath, centralAnswer, gapsAnswer } from './device-schema.ts';
import type { ApiParts } from './parts.ts';
import { problems } from './problem.ts';

/** However many ask, the store and etcd are asked no more often than this. */
const STATUS_EVERY_MS = 2_000;

export function deviceRoutes({ store, status, clock }: ApiParts): FastifyPluginAsyncZod {
  const read = remembered(status, () => clock().getTime());
  return async (app) => {
    app.get(
      '/agents/:agent/gaps',
      {
        schema: {
          summary: 'Numbers of an agent that no event has: lost for ever, newest first, and awaited',
          params: agentPath,
          response: { 200: gapsAnswer, ...problems(400, 429) },
        },
      },
      async ({ params: { agent } }) => ({ gaps: [...(await store.agentGaps(agent))] }),
    );
    app.get(
      '/central',
      {
        schema: {
          summary: 'Which of several centrals has which shards, and how far each shard has come',
          response: { 200: centralAnswer, ...problems(429) },
        },
      },
      async () => {
        const found = await read();
        const shards = found.shards.map((shard) => ({ ...shard, epochs: [...shard.epochs] }));
        return { ...found, workers: [...found.workers], shards, concerns: [...found.concerns] };
      },
    );
  };
}

function remembered(status: ApiParts['status'], nowMs: () => number): ApiParts['status'] {
  let latest: ReturnType<typeof status> | null = null;
  let atMs = 0;
  return () => {
    if (latest !== null && Math.abs(nowMs() - atMs) < STATUS_EVERY_MS) return latest;
    const reading = status();
    atMs = nowMs();
    latest = reading;
    reading.catch(() => {
      // Whoever awaits it is told; the next one asks again.
      if (latest === reading) latest = null;
    });
    return reading;
  };
}
