/** `http` of central's configuration: where page and API are, and who may use them. */
import { isIP } from 'node:net';
import { z } from 'zod';

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** A list in the file; one text, separated by spaces or commas, in the environment. */
export const listOfWords = z
  .string()
  .or(z.array(z.string()))
  .transform((value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((part) => part !== '') : value));

const words = (what: string, isOne: (text: string) => boolean) =>
  listOfWords.superRefine((all, context) => {
    if (!all.every(isOne)) context.addIssue({ code: 'custom', message: what });
  });

export const httpSchema = z
  .strictObject({
    host: z.string().default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(8321),
    pictures: z
      .string()
      .min(1)
      .optional()
      .describe('a folder of pictures of cats: 1.jpg or Mia.png, JPEG, PNG or WebP of at most 512 KiB'),
    login: z
      .enum(['auto', 'required', 'off'])
      .default('auto')
      .describe('auto: needed beyond this machine, and once a password is set; off: a proxy asks for one of its own'),
    names: words('names of hosts, such as cats.example.org', (name) => HOST_NAME.test(name))
      .default([])
      .describe('what central is called by where it asks for no password, beside localhost and addresses'),
    trustProxy: words('addresses of proxies, such as 127.0.0.1 or 10.0.0.0/24', isProxy)
      .default([])
      .describe('proxies that are believed about who asks, and whether by TLS'),
  })
  .prefault({});

/** An address, or a network of them. */
function isProxy(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more !== undefined) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}
