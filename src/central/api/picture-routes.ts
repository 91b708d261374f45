/** Pictures of cats, for those who may see the cats. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';
import { catPath } from './schema.ts';

const picturesAnswer = z.object({
  pictures: z.array(z.object({ catId: z.int(), version: z.string().describe('another one once it is replaced') })),
});
/** Never sent through a serializer. */
const pictureAnswer = {
  description: 'JPEG, PNG or WebP, at most 512 KiB',
  content: { 'image/*': { schema: z.string() } },
};

export function pictureRoutes({ store, clock, pictures }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/pictures',
      { schema: { summary: 'Which cats have a picture', response: { 200: picturesAnswer, ...problems(429) } } },
      async () => ({ pictures: [...(await pictures.list(await store.cats(clock())))] }),
    );
    app.get(
      '/cats/:id/picture',
      {
        exposeHeadRoute: false,
        schema: {
          summary: 'The picture of a cat',
          params: catPath,
          querystring: z.strictObject({
            v: z.string().max(64).optional().describe('its version, so that it may be kept'),
          }),
          response: { 200: pictureAnswer, ...problems(400, 404, 429) },
        },
      },
      async (request, reply) => {
        const cat = (await store.cats(clock())).find(({ id }) => id === request.params.id);
        if (cat === undefined) throw failure('CAT_NOT_FOUND', 'cat not found');
        const picture = await pictures.read(cat);
        if (picture === null) throw failure('NO_PICTURE', 'there is no picture of this cat');
        const keep = request.query.v === undefined ? 'no-cache' : 'max-age=31536000, immutable';
        reply.header('cache-control', `private, ${keep}`).type(picture.type);
        return reply.serializer((bytes: unknown) => bytes as string).send(picture.bytes as never);
      },
    );
  };
}
