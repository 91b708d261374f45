/** Events, and the agents that sent them, over HTTP. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { EventPage, EventQuery } from '../store/store.ts';
import { wireEventText } from './cloud-event.ts';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';
import { agentsAnswer, eventAnswer, eventPath, eventsAnswer, eventsQuery } from './schema.ts';

export function eventRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  const { store, simulated } = parts;
  return async (app) => {
    app.get(
      '/events',
      {
        schema: {
          summary: 'Events as CloudEvents',
          querystring: eventsQuery,
          response: { 200: eventsAnswer, ...problems(400, 429) },
        },
      },
      async (request, reply) => {
        const page = await readPage(parts, request.query);
        const text = `{"events":[${page.events.map(wireEventText).join(',')}],"next":${JSON.stringify(page.next)}}`;
        // Sent as text: the data must leave as they came, and not through a second parse and stringify.
        return reply.type('application/json').send(text as unknown as z.output<typeof eventsAnswer>);
      },
    );
    app.get(
      '/events/:epoch/:seq',
      {
        schema: {
          summary: 'One event as a CloudEvent, by its id',
          params: eventPath,
          response: { 200: eventAnswer, ...problems(400, 404, 429) },
        },
      },
      async (request, reply) => {
        const { epoch, seq } = request.params;
        const event = await store.event(epoch, seq);
        if (event === null) throw failure('EVENT_NOT_FOUND', 'event not found');
        return reply.type('application/json').send(wireEventText(event) as unknown as z.output<typeof eventAnswer>);
      },
    );
    app.get(
      '/agents',
      { schema: { summary: 'The agents, and collars of no cat', response: { 200: agentsAnswer, ...problems(429) } } },
      async () => {
        const [agents, unassigned] = await Promise.all([store.agents(), store.unassignedCollars()]);
        return {
          simulated,
          agents: agents.map((row) => ({ ...row, epochs: [...row.epochs], health: row.health && { ...row.health } })),
          unassigned: [...unassigned],
        };
      },
    );
  };
}

async function readPage({ store, cursors }: ApiParts, query: z.output<typeof eventsQuery>): Promise<EventPage> {
  const { order, sort, after, before, limit, type, cat, collar, agent, from, to, fused } = query;
  const filter: Omit<EventQuery, 'after'> = {
    limit,
    ...(type === undefined ? {} : { types: type }),
    ...(cat === undefined ? {} : { catId: cat }),
    ...(collar === undefined ? {} : { collar }),
    ...(agent === undefined ? {} : { agent }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  if (order === 'desc') return store.newest({ ...filter, fused, ...(before === undefined ? {} : { before }) });
  // The cursor of a page of times says itself what it is.
  if (sort === 'time' || (sort === undefined && after?.startsWith('t') === true)) {
    return store.oldest(after === undefined ? filter : { ...filter, after });
  }
  return store.events(after === undefined ? filter : { ...filter, after: cursors.decode(after) });
}
