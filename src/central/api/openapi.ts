/** The description of the API with an example of what each operation takes and gives; each was a real answer once. */
import { jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import examples from './examples.json' with { type: 'json' };

interface Media {
  readonly [contentType: string]: { example?: unknown } | undefined;
}

interface Operation {
  readonly requestBody?: { readonly content?: Media };
  readonly responses?: Readonly<Record<string, { readonly content?: Media } | undefined>>;
}

interface Example {
  readonly request?: unknown;
  readonly response: unknown;
}

type Documents = Parameters<typeof jsonSchemaTransformObject>[0];

export function describeApi(documents: Documents): ReturnType<typeof jsonSchemaTransformObject> {
  const described = jsonSchemaTransformObject(documents);
  const paths = (described.paths ?? {}) as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  for (const [name, example] of Object.entries<Example>(examples)) {
    const [method = '', path = ''] = name.split(' ');
    const operation = paths[path]?.[method.toLowerCase()];
    const given = operation?.responses?.['200'] ?? operation?.responses?.['201'];
    set(operation?.requestBody?.content, example.request);
    set(given?.content, example.response);
  }
  return described;
}

function set(content: Media | undefined, example: unknown): void {
  const media = content?.['application/json'];
  if (media !== undefined && example !== undefined) media.example = example;
}
